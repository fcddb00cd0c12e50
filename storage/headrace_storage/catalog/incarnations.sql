-- name: register
WITH born AS (INSERT INTO incarnations (label) VALUES ($1) RETURNING id)
INSERT INTO heartbeats (incarnation, seen_at) SELECT id, clock_timestamp() FROM born RETURNING incarnation

-- name: heartbeat
UPDATE heartbeats SET seen_at = clock_timestamp() WHERE incarnation = $1

-- name: retire
UPDATE incarnations SET alive = false WHERE id = $1

-- name: mark_dead
-- One that commits at this moment holds a lock on its row, and is alive: it is left for the next time.
UPDATE incarnations SET alive = false
WHERE id IN (
    SELECT id FROM incarnations
    WHERE alive AND NOT EXISTS (
        SELECT FROM heartbeats
        WHERE incarnation = id AND seen_at > clock_timestamp() - make_interval(secs => $1)
    )
    ORDER BY id FOR UPDATE SKIP LOCKED
)

-- name: dead
SELECT id FROM incarnations WHERE NOT alive ORDER BY id

-- name: forget
DELETE FROM incarnations WHERE id = $1 AND NOT alive

-- name: try_lease
INSERT INTO leases AS held (name, holder, expires)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires
WHERE held.holder = excluded.holder OR held.expires < clock_timestamp()
RETURNING true

-- name: release_lease
DELETE FROM leases WHERE name = $1 AND holder = $2

-- name: tell
SELECT tell_presences($1, make_interval(secs => $2), make_interval(secs => $3)) AS run_id

-- name: revive
UPDATE runs SET status = 'RUNNING', end_time = NULL, lapsed = false
FROM (
    SELECT run_id FROM runs WHERE run_id = ANY($1) AND status = 'KILLED' AND lapsed
    ORDER BY run_id FOR NO KEY UPDATE
) AS returned
WHERE runs.run_id = returned.run_id
RETURNING runs.run_id

-- name: watch_attempts
-- Runs that a process launched, and that nobody told of yet: their lease begins now.
INSERT INTO presences (run_id, seen_at)
SELECT run_id, clock_timestamp() FROM runs
WHERE status = 'RUNNING'
  AND EXISTS (SELECT FROM attempts WHERE attempts.run_id = runs.run_id)
  AND NOT EXISTS (SELECT FROM presences WHERE presences.run_id = runs.run_id)
ORDER BY run_id
ON CONFLICT (run_id) DO NOTHING

-- name: forget_ended
DELETE FROM presences USING (
    SELECT run_id FROM presences
    WHERE NOT EXISTS (SELECT FROM runs WHERE runs.run_id = presences.run_id AND status = 'RUNNING')
    ORDER BY run_id FOR UPDATE SKIP LOCKED
) AS ended
WHERE presences.run_id = ended.run_id

-- name: silent
-- By the time at which the transaction began: if it is stopped for a while, nobody can tell meanwhile.
SELECT run_id FROM presences, watch
WHERE seen_at < now() - make_interval(secs => $1) AND since < now() - make_interval(secs => $1)
  AND heard_at > now() - make_interval(secs => $2)
ORDER BY seen_at LIMIT $3

-- name: lock_running
SELECT run_id FROM runs WHERE run_id = ANY($1) AND status = 'RUNNING' ORDER BY run_id FOR NO KEY UPDATE

-- name: lock_silent
SELECT run_id FROM presences
WHERE run_id = ANY($1) AND seen_at < now() - make_interval(secs => $2)
ORDER BY run_id FOR UPDATE

-- name: end_lapsed
-- It ended when it was last heard of, as far as anybody knows; a client's clock may be ahead.
UPDATE runs
SET status = 'KILLED', lapsed = true,
    end_time = greatest(start_time, (extract(epoch FROM seen_at) * 1000)::bigint)
FROM presences
WHERE runs.run_id = ANY($1) AND presences.run_id = runs.run_id

-- name: forget
DELETE FROM presences WHERE run_id = ANY($1)

-- name: plan
-- One statement is one snapshot. What the runs show stands in the first row.
SELECT s.id, s.path, i.data AS inline, s.rows, s.size, s.checksum, s.level,
       CASE WHEN EXISTS (SELECT FROM views WHERE run_id = ANY($1::uuid[])) AND row_number() OVER (ORDER BY s.id) = 1
            THEN views_of($1::uuid[]) END AS views
FROM segments s LEFT JOIN inline_segments i ON i.segment_id = s.id
WHERE s.id IN (SELECT segment_id FROM segment_runs WHERE run_id = ANY($1::uuid[] || ARRAY(SELECT source FROM views WHERE views.run_id = ANY($1::uuid[]))))
ORDER BY s.id

-- name: objects
SELECT id, path, NULL::bytea AS inline, rows, size, checksum, level,
       CASE WHEN row_number() OVER (ORDER BY id) = 1 THEN views_of(NULL) END AS views
FROM segments WHERE path IS NOT NULL ORDER BY id

-- name: page
SELECT s.id, s.path, i.data AS inline, s.rows, s.size, s.checksum, s.level
FROM segments s LEFT JOIN inline_segments i ON i.segment_id = s.id
WHERE s.id > $1 ORDER BY s.id LIMIT $2

-- name: total_size
SELECT coalesce(sum(size), 0)::bigint FROM segments

-- name: is_live
SELECT EXISTS (SELECT FROM segments WHERE id = $1)

-- name: runs_of
SELECT run_id FROM segment_runs WHERE segment_id = $1 ORDER BY run_id

-- name: tag_damaged
INSERT INTO tags (run_id, key, value)
SELECT run_id, $2, $3::bigint::text FROM unnest($1::uuid[]) AS run_id ORDER BY run_id
ON CONFLICT (run_id, key) DO UPDATE
SET value = ($3::bigint + CASE WHEN tags.value ~ '^[0-9]+$' AND length(tags.value) < 16
                          THEN tags.value::bigint ELSE 0 END)::text

-- name: remove_unfolded
WITH again AS (DELETE FROM refold WHERE segment_id = ANY($1::bigint[]))
DELETE FROM unfolded WHERE segment_id = ANY($1::bigint[])

-- name: small_objects
SELECT level, count(*) AS objects
FROM segments s
WHERE path IS NOT NULL AND rows < $1 AND id <> ALL($2::bigint[])
  AND NOT EXISTS (SELECT FROM unfolded u WHERE u.segment_id = s.id)
  AND NOT EXISTS (SELECT FROM refold r WHERE r.segment_id = s.id)
GROUP BY level ORDER BY level

-- name: mergeable_objects
SELECT id, path, NULL::bytea AS inline, rows, size, checksum, level
FROM (
    SELECT *, sum(rows) OVER (ORDER BY id) AS rows_so_far
    FROM (
        SELECT * FROM segments s
        WHERE level = $1 AND path IS NOT NULL AND rows < $2 AND id <> ALL($3::bigint[])
          AND NOT EXISTS (SELECT FROM unfolded u WHERE u.segment_id = s.id)
          AND NOT EXISTS (SELECT FROM refold r WHERE r.segment_id = s.id)
        ORDER BY id LIMIT $4
    ) AS oldest
) AS bounded
WHERE rows_so_far <= $5
ORDER BY id

-- name: set_apart
WITH gone AS (
    DELETE FROM segment_runs USING erased_runs
    WHERE segment_runs.segment_id = ANY($1::bigint[]) AND erased_runs.run_id = segment_runs.run_id
    RETURNING segment_runs.segment_id, segment_runs.run_id
)
INSERT INTO erased_points (segment_id, run_id) SELECT segment_id, run_id FROM gone

-- name: erased_in
SELECT DISTINCT run_id FROM erased_points WHERE segment_id = ANY($1::bigint[])

-- name: forget_summaries
DELETE FROM summaries WHERE run_id = ANY($1::uuid[])

-- name: erased_in_objects
-- $1: segments that may hold some that nobody has set apart.
SELECT run_id FROM erased_points JOIN segments s ON s.id = segment_id WHERE path IS NOT NULL
UNION
SELECT run_id FROM segment_runs JOIN erased_runs USING (run_id) WHERE segment_id = ANY($1::bigint[])
ORDER BY run_id

-- name: objects_with_erased
SELECT id, path, NULL::bytea AS inline, rows, size, checksum, level
FROM segments s
WHERE path IS NOT NULL AND id <> ALL($1::bigint[])
  AND EXISTS (SELECT FROM erased_points e WHERE e.segment_id = s.id)
  AND NOT EXISTS (SELECT FROM unfolded u WHERE u.segment_id = s.id)
  AND NOT EXISTS (SELECT FROM refold r WHERE r.segment_id = s.id)
ORDER BY id LIMIT $2

-- name: drainable
SELECT b.id, b.path, i.data AS inline, b.rows, b.size, b.checksum, b.level
FROM (
    SELECT *, sum(size) OVER (ORDER BY id) AS size_so_far
    FROM (
        SELECT * FROM segments s
        WHERE level = 0 AND path IS NULL AND id <> ALL($1::bigint[])
          AND NOT EXISTS (SELECT FROM unfolded u WHERE u.segment_id = s.id)
          AND NOT EXISTS (SELECT FROM refold r WHERE r.segment_id = s.id)
        ORDER BY id LIMIT $2
    ) AS oldest
) AS b
JOIN inline_segments i ON i.segment_id = b.id
WHERE size_so_far <= $3
ORDER BY b.id

-- name: lock_incarnation
SELECT id FROM incarnations WHERE id = $1 AND alive FOR SHARE

-- name: remove_inputs
DELETE FROM segments s
WHERE id = ANY($1::bigint[]) AND NOT EXISTS (SELECT FROM unfolded u WHERE u.segment_id = s.id)
RETURNING path

-- name: count_again
-- Those that are to be folded again; also since they began to be removed.
SELECT count(DISTINCT segment_id) FROM refold WHERE segment_id = ANY($1::bigint[])

-- name: remove_inline
DELETE FROM inline_segments WHERE segment_id = ANY($1::bigint[])

-- name: remove_runs
WITH e AS (DELETE FROM erased_points WHERE segment_id = ANY($1::bigint[]))
DELETE FROM segment_runs WHERE segment_id = ANY($1::bigint[])

-- name: retire_objects
INSERT INTO garbage (path) SELECT unnest($1::text[])

-- name: register
-- Of a run that was erased since the points were read, they are for the compactor only.
WITH registered AS (
    INSERT INTO segments (incarnation, path, rows, size, checksum, level) VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING id
), held AS (
    SELECT run_id, EXISTS (SELECT FROM erased_runs WHERE erased_runs.run_id = given.run_id) AS is_erased
    FROM unnest($7::uuid[]) AS given (run_id)
), apart AS (
    INSERT INTO erased_points (segment_id, run_id)
    SELECT registered.id, run_id FROM registered, held WHERE is_erased
)
INSERT INTO segment_runs (run_id, segment_id)
SELECT run_id, registered.id FROM registered, held WHERE NOT is_erased

-- name: garbage
SELECT path FROM garbage WHERE retired_at <= clock_timestamp() - make_interval(secs => $1)
ORDER BY retired_at LIMIT $2

-- name: forget_garbage
DELETE FROM garbage WHERE path = ANY($1::text[])

-- name: unregistered
SELECT path FROM unnest($1::text[]) AS found (path)
WHERE NOT EXISTS (SELECT FROM segments s WHERE s.path = found.path)
  AND NOT EXISTS (SELECT FROM garbage g WHERE g.path = found.path)

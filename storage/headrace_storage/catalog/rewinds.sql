-- name: read_rewinds
SELECT run_id, number, step, created_at, undone_at FROM rewinds WHERE run_id = ANY($1) ORDER BY run_id, number

-- name: read_inherited
SELECT run_id, source, throughs, last_steps FROM inherited WHERE run_id = ANY($1)

-- name: begin_change
SELECT pg_advisory_xact_lock($1)

-- name: wait_for_changes
SELECT pg_advisory_xact_lock_shared($1)

-- name: keep_changes_out
SELECT pg_try_advisory_xact_lock_shared($1)

-- name: write_rewinds
INSERT INTO rewinds (run_id, number, step, created_at, undone_at)
SELECT $1::uuid, * FROM unnest($2::integer[], $3::bigint[], $4::bigint[], $5::bigint[])
ON CONFLICT (run_id, number) DO UPDATE SET undone_at = excluded.undone_at

-- name: write_inherited
INSERT INTO inherited (run_id, source, throughs, last_steps) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: forget_views
DELETE FROM views WHERE run_id = $1

-- name: write_view
INSERT INTO views (run_id, source, throughs, last_steps) VALUES ($1, $2, $3, $4)

-- name: forget_summaries
DELETE FROM summaries WHERE run_id = $1

-- name: forget_refolds
DELETE FROM refold WHERE run_id = $1

-- name: refold
-- What is not folded at all is folded as the run shows it now.
INSERT INTO refold (run_id, segment_id)
SELECT DISTINCT $1::uuid, segment_id FROM segment_runs
WHERE run_id = ANY(sources_of(ARRAY[$1::uuid]))
  AND NOT EXISTS (SELECT FROM unfolded WHERE unfolded.segment_id = segment_runs.segment_id)

-- name: run_exists
SELECT EXISTS (SELECT FROM runs WHERE run_id = $1)

-- name: lock_run
SELECT run_id FROM runs WHERE run_id = $1 FOR NO KEY UPDATE

-- name: list
SELECT number, step, created_at, undone_at, token
FROM rewinds JOIN attempts USING (run_id, number) WHERE run_id = $1 ORDER BY number

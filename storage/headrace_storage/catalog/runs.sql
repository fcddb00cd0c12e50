-- name: reachable
SELECT 1

-- name: get_run
SELECT described_runs.*, datasets, models FROM described_runs JOIN lineages USING (run_id) WHERE run_id = $1

-- name: existing
SELECT run_id FROM runs WHERE run_id = ANY($1::uuid[])

-- name: artifact_uri
-- Where a run that points came of before its creation belongs is not known for a while.
SELECT artifact_uri,
       placeholder AND runs.start_time > (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $2 AS early
FROM described_runs JOIN runs USING (run_id) WHERE run_id = $1

-- name: delete
UPDATE runs
SET lifecycle_stage = 'deleted', deleted_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE run_id = $1 AND lifecycle_stage = 'active'

-- name: restore
UPDATE runs SET lifecycle_stage = 'active', deleted_at = NULL WHERE run_id = $1 AND lifecycle_stage = 'deleted'

-- name: stage
SELECT lifecycle_stage FROM runs WHERE run_id = $1

-- name: lock_stage
SELECT lifecycle_stage FROM runs WHERE run_id = $1 FOR NO KEY UPDATE

-- name: update
UPDATE runs
SET status = coalesce($2, status), end_time = coalesce($3, end_time), run_name = coalesce($4, run_name), lapsed = false
WHERE run_id = $1

-- name: name_tag
INSERT INTO tags (run_id, key, value) VALUES ($1, $2, $3)
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value

-- name: list_rejects
SELECT writer_id, first, end_, code, message, run_id, (extract(epoch FROM created_at) * 1000)::bigint AS created_at
FROM rejects WHERE $1::uuid IS NULL OR run_id = $1
ORDER BY rejects.created_at DESC, writer_id, first DESC LIMIT $2

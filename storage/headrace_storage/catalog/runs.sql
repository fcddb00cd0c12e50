-- name: create_experiment
-- Not "ON CONFLICT" alone: that would use up an experiment id.
INSERT INTO experiments (name, artifact_location, creation_time, last_update_time)
SELECT $1, $2, now_ms, now_ms FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint) AS clock (now_ms)
WHERE NOT EXISTS (SELECT FROM experiments WHERE name = $1)
ON CONFLICT (name) DO NOTHING
RETURNING experiment_id

-- name: tag_experiment
INSERT INTO experiment_tags (experiment_id, key, value) SELECT $1, * FROM unnest($2::text[], $3::text[])

-- name: experiment_by_id
SELECT * FROM described_experiments WHERE experiment_id = $1

-- name: experiment_by_name
SELECT * FROM described_experiments WHERE name = $1

-- name: list_experiments
SELECT * FROM described_experiments
WHERE lifecycle_stage = 'active' AND experiment_id < $1
ORDER BY experiment_id DESC LIMIT $2

-- name: get_run
SELECT * FROM described_runs WHERE run_id = $1

-- name: list_rejects
SELECT writer_id, first, end_, code, message, run_id, (extract(epoch FROM created_at) * 1000)::bigint AS created_at
FROM rejects WHERE $1::uuid IS NULL OR run_id = $1
ORDER BY rejects.created_at DESC, writer_id, first DESC LIMIT $2

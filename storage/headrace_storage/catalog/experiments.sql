-- name: create_experiment
-- Not "ON CONFLICT" alone: that would use up an experiment id. $3: its creation, if it is not now.
INSERT INTO experiments (name, artifact_location, creation_time, last_update_time)
SELECT $1, $2, coalesce($3, now_ms), coalesce($3, now_ms)
FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint) AS clock (now_ms)
WHERE NOT EXISTS (SELECT FROM experiments WHERE name = $1)
ON CONFLICT (name) DO NOTHING
RETURNING experiment_id

-- name: hold_ids
-- Nobody takes an id meanwhile: whoever inserts does so under a lock that this one excludes.
LOCK TABLE experiments IN SHARE ROW EXCLUSIVE MODE

-- name: create_with_id
-- As above, with the id $4. Ids that are given out later come after it, unless it is one of MLflow's random ones.
WITH made AS (
    INSERT INTO experiments (name, artifact_location, creation_time, last_update_time, experiment_id)
    SELECT $1, $2, coalesce($3, now_ms), coalesce($3, now_ms), $4
    FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint) AS clock (now_ms)
    ON CONFLICT DO NOTHING
    RETURNING experiment_id
), ahead AS (
    SELECT setval(sequence, greatest(last_value, experiment_id))
    FROM made, experiments_experiment_id_seq,
         (SELECT pg_get_serial_sequence('experiments', 'experiment_id')::regclass) AS named (sequence)
    WHERE experiment_id < 1000000000
)
SELECT experiment_id FROM made LEFT JOIN ahead ON true

-- name: experiment_by_id
SELECT * FROM described_experiments WHERE experiment_id = $1

-- name: experiment_by_name
SELECT * FROM described_experiments WHERE name = $1

-- name: newest_experiments
-- The order in which experiments come unless another is asked for, page by page.
SELECT * FROM described_experiments
WHERE lifecycle_stage = ANY($1::text[]) AND (creation_time, -experiment_id) < ($2::bigint, -$3::bigint)
ORDER BY creation_time DESC, experiment_id LIMIT $4

-- name: all_experiments
SELECT * FROM described_experiments WHERE lifecycle_stage = ANY($1::text[])

-- name: lock_experiment
SELECT lifecycle_stage, deleted_at FROM experiments WHERE experiment_id = $1 FOR NO KEY UPDATE

-- name: rename
UPDATE experiments SET name = $2, last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE experiment_id = $1 AND NOT EXISTS (SELECT FROM experiments WHERE name = $2 AND experiment_id <> $1)
RETURNING experiment_id

-- name: mark
-- $3: when it was deleted; NULL: it is not.
UPDATE experiments
SET lifecycle_stage = $2, deleted_at = $3,
    last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE experiment_id = $1

-- name: now
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint

-- name: delete_runs
UPDATE runs SET lifecycle_stage = 'deleted', deleted_at = $2
FROM (
    SELECT run_id FROM runs WHERE experiment_id = $1 AND lifecycle_stage = 'active'
    ORDER BY run_id FOR NO KEY UPDATE
) AS active
WHERE runs.run_id = active.run_id

-- name: restore_runs
UPDATE runs SET lifecycle_stage = 'active', deleted_at = NULL
FROM (
    SELECT run_id FROM runs WHERE experiment_id = $1 AND deleted_at = $2
    ORDER BY run_id FOR NO KEY UPDATE
) AS deleted
WHERE runs.run_id = deleted.run_id

-- name: set_tags
INSERT INTO experiment_tags (experiment_id, key, value)
SELECT $1, * FROM unnest($2::text[], $3::text[])
ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value

-- name: delete_tag
DELETE FROM experiment_tags WHERE experiment_id = $1 AND key = $2 RETURNING key

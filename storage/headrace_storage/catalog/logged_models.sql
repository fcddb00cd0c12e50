-- name: create
INSERT INTO logged_models (
    model_id, experiment_id, name, model_type, source_run_id, creator_id, status, creation_time, last_update_time
)
SELECT $1, $2, $3, $4, $5, $6, $7, coalesce($8, now_ms), coalesce($8, now_ms)
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS clock (now_ms)
ON CONFLICT (model_id) DO NOTHING
RETURNING model_id

-- name: run_exists
SELECT EXISTS (SELECT FROM runs WHERE run_id = $1)

-- name: lock
SELECT model_id FROM logged_models WHERE model_id = $1 FOR NO KEY UPDATE

-- name: models
-- Not deleted, unless that is allowed.
SELECT * FROM described_logged_models
WHERE model_id = ANY($1::text[]) AND ($2 OR lifecycle_stage = 'active')

-- name: artifact_uri
SELECT artifact_uri FROM described_logged_models WHERE model_id = $1

-- name: metrics
SELECT model_id, key, value, "timestamp", step, dataset_name, dataset_digest, run_id
FROM logged_model_metrics WHERE model_id = ANY($1::text[])
ORDER BY model_id, key, "timestamp", step, run_id, dataset_name

-- name: points_of_models
SELECT model_id, count(*) FROM logged_model_metrics WHERE model_id = ANY($1::text[]) GROUP BY model_id

-- name: add_params
INSERT INTO logged_model_params (model_id, key, value) SELECT $1, * FROM unnest($2::text[], $3::text[])
ON CONFLICT (model_id, key) DO NOTHING

-- name: params
SELECT key, value FROM logged_model_params WHERE model_id = $1 AND key = ANY($2::text[])

-- name: set_tags
INSERT INTO logged_model_tags (model_id, key, value) SELECT $1, * FROM unnest($2::text[], $3::text[])
ON CONFLICT (model_id, key) DO UPDATE SET value = excluded.value

-- name: delete_tag
DELETE FROM logged_model_tags WHERE model_id = $1 AND key = $2 RETURNING key

-- name: finalize
UPDATE logged_models
SET status = $2, status_message = $3, last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE model_id = $1

-- name: mark
UPDATE logged_models
SET lifecycle_stage = $2, last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE model_id = $1

-- name: candidates
-- Of these experiments, or of all.
SELECT model_id, experiment_id, name, model_type, source_run_id, status, creation_time, last_update_time
FROM logged_models
WHERE lifecycle_stage = 'active' AND ($1::bigint[] IS NULL OR experiment_id = ANY($1::bigint[]))

-- name: texts_of_candidates
-- 1 params, 2 tags, with the keys that are asked for.
SELECT 1 AS kind, model_id, key, value FROM logged_model_params
WHERE key = ANY($2::text[]) AND model_id IN (
    SELECT model_id FROM logged_models WHERE $1::bigint[] IS NULL OR experiment_id = ANY($1::bigint[])
)
UNION ALL
SELECT 2, model_id, key, value FROM logged_model_tags
WHERE key = ANY($3::text[]) AND model_id IN (
    SELECT model_id FROM logged_models WHERE $1::bigint[] IS NULL OR experiment_id = ANY($1::bigint[])
)

-- name: metrics_of_candidates
-- The latest first. $3: of all keys.
SELECT model_id, key, value, dataset_name, dataset_digest
FROM logged_model_metrics
WHERE ($3 OR key = ANY($2::text[])) AND model_id IN (
    SELECT model_id FROM logged_models WHERE $1::bigint[] IS NULL OR experiment_id = ANY($1::bigint[])
)
ORDER BY model_id, key, "timestamp" DESC, step DESC, run_id

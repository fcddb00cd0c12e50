-- name: known_models
SELECT model_id FROM logged_models WHERE model_id = ANY($1::text[]) AND lifecycle_stage = 'active'

-- name: write_datasets
-- A row that is there is locked, so that nobody deletes it before the input refers to it. Sorted by id.
INSERT INTO datasets (dataset_id, source_type, source, schema, profile)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (dataset_id) DO UPDATE SET source_type = excluded.source_type

-- name: write_inputs
INSERT INTO inputs (run_id, name, digest, dataset_id, tags)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::jsonb[])
ON CONFLICT (run_id, name, digest) DO NOTHING

-- name: write_run_models
INSERT INTO run_models (run_id, output, model_id, step)
SELECT * FROM unnest($1::uuid[], $2::boolean[], $3::text[], $4::bigint[])
ON CONFLICT (run_id, output, model_id) DO NOTHING

-- name: write_links
INSERT INTO logged_model_metrics
    (model_id, key, value, "timestamp", step, dataset_name, dataset_digest, run_id)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::float8[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::uuid[]
)
ON CONFLICT (model_id, key, "timestamp", step, run_id, dataset_name, dataset_digest)
DO UPDATE SET value = excluded.value

-- name: use_linked_models
-- A run uses a model whose points it logs, unless it made it.
INSERT INTO run_models (run_id, output, model_id, step)
SELECT run_id, false, model_id, 0 FROM unnest($1::uuid[], $2::text[]) AS given (run_id, model_id)
WHERE NOT EXISTS (
    SELECT FROM run_models AS made WHERE made.run_id = given.run_id AND made.model_id = given.model_id AND made.output
)
ON CONFLICT (run_id, output, model_id) DO NOTHING

-- name: datasets_of_experiments
-- What runs that are not deleted used, and for what.
SELECT DISTINCT experiment_id, name, digest, coalesce(tags ->> 'mlflow.data.context', '') AS context
FROM inputs JOIN runs USING (run_id)
WHERE experiment_id = ANY($1::bigint[]) AND lifecycle_stage = 'active'
ORDER BY experiment_id, name, digest, context LIMIT $2

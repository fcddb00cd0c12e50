-- name: victims
-- $1: runs, $2: experiments, empty arrays: any; $3: deleted before that time (ms), 0: any.
SELECT run_id FROM runs
WHERE lifecycle_stage = 'deleted' AND ($3::bigint = 0 OR coalesce(deleted_at, 0) < $3)
  AND (cardinality($1::uuid[]) = 0 AND cardinality($2::bigint[]) = 0
       OR run_id = ANY($1::uuid[]) OR experiment_id = ANY($2))
  AND NOT EXISTS (SELECT FROM inherited WHERE source = runs.run_id)
ORDER BY deleted_at, run_id LIMIT $4

-- name: empty_experiments
-- Deleted ones with no other runs than $4 and no registered models, except the one that runs of unknown origin
-- begin in.
SELECT experiment_id FROM experiments
WHERE lifecycle_stage = 'deleted' AND experiment_id <> 0 AND ($3::bigint = 0 OR coalesce(deleted_at, 0) < $3)
  AND (cardinality($1::uuid[]) = 0 AND cardinality($2::bigint[]) = 0 OR experiment_id = ANY($2))
  AND NOT EXISTS (
      SELECT FROM runs WHERE runs.experiment_id = experiments.experiment_id AND run_id <> ALL($4::uuid[])
  )
  AND NOT EXISTS (
      SELECT FROM logged_models JOIN registered_logged_models USING (model_id)
      WHERE logged_models.experiment_id = experiments.experiment_id
  )
ORDER BY experiment_id

-- name: lock_experiments
SELECT experiment_id FROM experiments
WHERE experiment_id = ANY($1) AND lifecycle_stage = 'deleted' ORDER BY experiment_id FOR UPDATE

-- name: lock_runs
SELECT run_id FROM runs
WHERE run_id = ANY($1) AND lifecycle_stage = 'deleted' ORDER BY run_id FOR UPDATE

-- name: without_forks
-- A run from which another one inherits stays as long as that one does.
SELECT run_id FROM unnest($1::uuid[]) AS run_id
WHERE NOT EXISTS (SELECT FROM inherited WHERE source = run_id) ORDER BY run_id

-- name: leave_tombstones
INSERT INTO erased_runs (run_id, artifact_uri)
SELECT run_id, artifact_uri FROM described_runs WHERE run_id = ANY($1::uuid[])
ON CONFLICT DO NOTHING

-- name: erased_with_files
SELECT run_id, artifact_uri FROM erased_runs WHERE artifact_uri IS NOT NULL ORDER BY run_id LIMIT $1

-- name: forget_files
UPDATE erased_runs SET artifact_uri = NULL WHERE run_id = ANY($1::uuid[])

-- name: erase_runs
WITH p AS (DELETE FROM params WHERE run_id = ANY($1::uuid[])),
     t AS (DELETE FROM tags WHERE run_id = ANY($1::uuid[])),
     a AS (DELETE FROM attempts WHERE run_id = ANY($1::uuid[])),
     s AS (DELETE FROM summaries WHERE run_id = ANY($1::uuid[])),
     h AS (DELETE FROM presences WHERE run_id = ANY($1::uuid[])),
     g AS (DELETE FROM gap_runs WHERE run_id = ANY($1::uuid[])),
     w AS (DELETE FROM rewinds WHERE run_id = ANY($1::uuid[])),
     i AS (DELETE FROM inherited WHERE run_id = ANY($1::uuid[])),
     v AS (DELETE FROM views WHERE run_id = ANY($1::uuid[])),
     r AS (DELETE FROM refold WHERE run_id = ANY($1::uuid[])),
     n AS (DELETE FROM inputs WHERE run_id = ANY($1::uuid[])),
     m AS (DELETE FROM run_models WHERE run_id = ANY($1::uuid[])),
     k AS (DELETE FROM logged_model_metrics WHERE run_id = ANY($1::uuid[]))
DELETE FROM runs WHERE run_id = ANY($1::uuid[])

-- name: erase_models
-- What these runs made, and what else these experiments have; but for those that are registered.
WITH gone AS (
    DELETE FROM logged_models
    WHERE (source_run_id = ANY($1::uuid[]) OR experiment_id = ANY($2::bigint[]))
      AND model_id NOT IN (SELECT model_id FROM registered_logged_models)
    RETURNING model_id
)
INSERT INTO erased_models (artifact_uri)
SELECT artifact_uri FROM described_logged_models WHERE model_id IN (SELECT model_id FROM gone)
ON CONFLICT DO NOTHING

-- name: models_with_files
SELECT artifact_uri FROM erased_models ORDER BY artifact_uri LIMIT $1

-- name: forget_models
DELETE FROM erased_models WHERE artifact_uri = ANY($1::text[])

-- name: in_segments
SELECT EXISTS (SELECT FROM segment_runs WHERE run_id = ANY($1::uuid[]))

-- name: lock_datasets
SELECT dataset_id FROM datasets
WHERE dataset_id IN (SELECT dataset_id FROM inputs WHERE run_id = ANY($1::uuid[])) ORDER BY dataset_id FOR UPDATE

-- name: erase_datasets
-- Those that no run refers to any more. They are locked: nobody begins to meanwhile.
DELETE FROM datasets WHERE dataset_id = ANY($1::uuid[])
AND NOT EXISTS (SELECT FROM inputs WHERE inputs.dataset_id = datasets.dataset_id)

-- name: set_apart
-- What segments hold of erased runs.
WITH gone AS (
    DELETE FROM segment_runs WHERE run_id = ANY($1::uuid[]) RETURNING segment_id, run_id
)
INSERT INTO erased_points (segment_id, run_id) SELECT segment_id, run_id FROM gone RETURNING segment_id

-- name: without_others
-- Those segments that hold nothing else.
SELECT DISTINCT segment_id FROM unnest($1::bigint[]) AS given (segment_id)
WHERE NOT EXISTS (SELECT FROM segment_runs AS rest WHERE rest.segment_id = given.segment_id)

-- name: remove_segments
WITH u AS (DELETE FROM unfolded WHERE segment_id = ANY($1::bigint[])),
     r AS (DELETE FROM refold WHERE segment_id = ANY($1::bigint[])),
     i AS (DELETE FROM inline_segments WHERE segment_id = ANY($1::bigint[])),
     e AS (DELETE FROM erased_points WHERE segment_id = ANY($1::bigint[])),
     s AS (DELETE FROM segments WHERE id = ANY($1::bigint[]) RETURNING path)
INSERT INTO garbage (path) SELECT path FROM s WHERE path IS NOT NULL

-- name: erase_experiments
DELETE FROM experiments WHERE experiment_id = ANY($1::bigint[])

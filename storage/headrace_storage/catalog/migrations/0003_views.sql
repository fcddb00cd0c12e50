-- What a reader is told of experiments and runs; tags and params as JSON objects.

CREATE VIEW described_experiments AS
SELECT experiment_id, name, lifecycle_stage, creation_time, last_update_time,
       CASE artifact_location WHEN '' THEN 'headrace-artifacts:/' || experiment_id ELSE artifact_location END
           AS artifact_location,
       coalesce((
           SELECT json_object_agg(key, value) FROM experiment_tags
           WHERE experiment_tags.experiment_id = experiments.experiment_id
       ), '{}') AS tags
FROM experiments;

CREATE VIEW described_runs AS
SELECT run_id, run_name, experiment_id, user_id, status, start_time, end_time, runs.lifecycle_stage,
       CASE artifact_location WHEN '' THEN 'headrace-artifacts:/' || experiment_id ELSE artifact_location END
           || '/' || replace(run_id::text, '-', '') || '/artifacts' AS artifact_uri,
       coalesce((SELECT json_object_agg(key, value) FROM params WHERE params.run_id = runs.run_id), '{}') AS params,
       coalesce((SELECT json_object_agg(key, value) FROM tags WHERE tags.run_id = runs.run_id), '{}') AS tags
FROM runs JOIN experiments USING (experiment_id);

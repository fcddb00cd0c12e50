-- The files of erased runs: where they are, until they are deleted.

ALTER TABLE erased_runs ADD COLUMN artifact_uri text;
CREATE INDEX erased_runs_with_files ON erased_runs (run_id) WHERE artifact_uri IS NOT NULL;

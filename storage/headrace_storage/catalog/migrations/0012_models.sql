-- What runs used and made: datasets and logged models; and the registry of models.

-- What is known of a dataset besides its name; the id is made of all of it, so that whoever logs the same has
-- the same row. Who refers to a row locks it first (lineage.sql), for it goes with the last run that does.
CREATE TABLE datasets (
    dataset_id  uuid PRIMARY KEY,
    source_type text NOT NULL,
    source      text NOT NULL,
    schema      text NOT NULL,
    profile     text NOT NULL
);

-- The datasets of a run, as MLflow has it: the first of a name and digest counts.
CREATE TABLE inputs (
    run_id     uuid NOT NULL,
    name       text NOT NULL CONSTRAINT "a dataset's name has 1 to 500 characters" CHECK (length(name) BETWEEN 1 AND 500),
    digest     text NOT NULL CONSTRAINT "a dataset's digest has 1 to 36 characters" CHECK (length(digest) BETWEEN 1 AND 36),
    dataset_id uuid NOT NULL,
    tags       jsonb NOT NULL,
    number     bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (run_id, name, digest)
);
CREATE INDEX inputs_by_dataset ON inputs (dataset_id);

CREATE TRIGGER touch_inserted AFTER INSERT ON inputs REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION touch(16);
CREATE TRIGGER touch_updated AFTER UPDATE ON inputs REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION touch(16);
CREATE TRIGGER touch_deleted AFTER DELETE ON inputs REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION touch(16);

-- Models that a run made (output) or used.
CREATE TABLE run_models (
    run_id   uuid NOT NULL,
    model_id text NOT NULL,
    output   boolean NOT NULL,
    step     bigint NOT NULL,
    number   bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (run_id, output, model_id)
);

CREATE TABLE logged_models (
    model_id         text PRIMARY KEY,
    experiment_id    bigint NOT NULL REFERENCES experiments (experiment_id) ON DELETE CASCADE,
    name             text NOT NULL,
    model_type       text NOT NULL,
    source_run_id    uuid,
    creator_id       text NOT NULL,
    status           text NOT NULL,
    status_message   text NOT NULL DEFAULT '',
    creation_time    bigint NOT NULL,
    last_update_time bigint NOT NULL,
    lifecycle_stage  text NOT NULL DEFAULT 'active' CHECK (lifecycle_stage IN ('active', 'deleted'))
);
CREATE INDEX logged_models_by_experiment ON logged_models (experiment_id, creation_time);
CREATE INDEX logged_models_by_run ON logged_models (source_run_id);

CREATE TABLE logged_model_params (
    model_id text NOT NULL REFERENCES logged_models (model_id) ON DELETE CASCADE,
    key      text NOT NULL,
    value    text NOT NULL,
    PRIMARY KEY (model_id, key)
);

CREATE TABLE logged_model_tags (
    model_id text NOT NULL REFERENCES logged_models (model_id) ON DELETE CASCADE,
    key      text NOT NULL,
    value    text NOT NULL,
    PRIMARY KEY (model_id, key)
);

-- Points that were linked to a model. They are in the history of their run as well.
CREATE TABLE logged_model_metrics (
    model_id       text NOT NULL REFERENCES logged_models (model_id) ON DELETE CASCADE,
    key            text NOT NULL,
    value          double precision NOT NULL,
    "timestamp"    bigint NOT NULL,
    step           bigint NOT NULL,
    dataset_name   text NOT NULL,  -- empty: no dataset
    dataset_digest text NOT NULL,
    run_id         uuid NOT NULL,
    PRIMARY KEY (model_id, key, "timestamp", step, run_id, dataset_name, dataset_digest)
);
CREATE INDEX logged_model_metrics_by_run ON logged_model_metrics (run_id);

CREATE TABLE registered_models (
    name             text PRIMARY KEY,
    description      text NOT NULL,
    creation_time    bigint NOT NULL,
    last_update_time bigint NOT NULL,
    last_version     bigint NOT NULL DEFAULT 0  -- given out; no number comes twice
);

CREATE TABLE registered_model_tags (
    name  text NOT NULL REFERENCES registered_models (name) ON UPDATE CASCADE ON DELETE CASCADE,
    key   text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (name, key)
);

CREATE TABLE model_versions (
    name             text NOT NULL REFERENCES registered_models (name) ON UPDATE CASCADE ON DELETE CASCADE,
    version          bigint NOT NULL,
    creation_time    bigint NOT NULL,
    last_update_time bigint NOT NULL,
    description      text NOT NULL,
    stage            text NOT NULL DEFAULT 'None',
    source           text NOT NULL,
    storage_location text NOT NULL,
    run_id           text NOT NULL,
    run_link         text NOT NULL,
    model_id         text NOT NULL,
    user_id          text NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE model_version_tags (
    name    text NOT NULL,
    version bigint NOT NULL,
    key     text NOT NULL,
    value   text NOT NULL,
    PRIMARY KEY (name, version, key),
    FOREIGN KEY (name, version) REFERENCES model_versions (name, version) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE TABLE registered_model_aliases (
    name    text NOT NULL,
    alias   text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (name, alias),
    FOREIGN KEY (name, version) REFERENCES model_versions (name, version) ON UPDATE CASCADE ON DELETE CASCADE
);

-- What a reader is told of runs besides described_runs.
CREATE VIEW lineages AS
SELECT run_id, (
    SELECT json_agg(json_build_object(
        'name', name, 'digest', digest, 'source_type', source_type, 'source', source, 'schema', schema,
        'profile', profile, 'tags', tags
    ) ORDER BY number)
    FROM inputs JOIN datasets USING (dataset_id) WHERE inputs.run_id = runs.run_id
) AS datasets, (
    SELECT json_agg(json_build_object('model_id', model_id, 'step', step, 'output', output) ORDER BY number)
    FROM run_models WHERE run_models.run_id = runs.run_id
) AS models
FROM runs;

CREATE VIEW described_logged_models AS
SELECT model_id, experiment_id, logged_models.name, model_type, source_run_id, creator_id, status, status_message,
       logged_models.creation_time, logged_models.last_update_time, logged_models.lifecycle_stage,
       CASE artifact_location WHEN '' THEN 'headrace-artifacts:/' || experiment_id ELSE artifact_location END
           || '/models/' || model_id || '/artifacts' AS artifact_uri,
       (SELECT json_object_agg(key, value) FROM logged_model_params AS p WHERE p.model_id = logged_models.model_id)
           AS params,
       (SELECT json_object_agg(key, value) FROM logged_model_tags AS t WHERE t.model_id = logged_models.model_id)
           AS tags
FROM logged_models JOIN experiments USING (experiment_id);

-- The files of erased logged models: where they are, until they are deleted.
CREATE TABLE erased_models (
    artifact_uri text PRIMARY KEY
);

-- Logged models that versions of registered models are made of: with their files those would go.
CREATE VIEW registered_logged_models AS
SELECT model_id FROM model_versions WHERE model_id <> ''
UNION
SELECT substring(storage_location FROM '/models/(m-[0-9a-f]{32})/artifacts') FROM model_versions
WHERE storage_location ~ '/models/m-[0-9a-f]{32}/artifacts';

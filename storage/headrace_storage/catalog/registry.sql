-- name: create_model
INSERT INTO registered_models (name, description, creation_time, last_update_time)
SELECT $1, $2, coalesce($3, now_ms), coalesce($3, now_ms)
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS clock (now_ms)
ON CONFLICT (name) DO NOTHING
RETURNING name

-- name: touch_model
-- Locks it as well.
UPDATE registered_models SET last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE name = $1 RETURNING name

-- name: models
SELECT * FROM registered_models WHERE name = ANY($1::text[])

-- name: names_of_models
SELECT name, creation_time, last_update_time FROM registered_models

-- name: tags_of_models
SELECT name, key, value FROM registered_model_tags WHERE name = ANY($1::text[]) ORDER BY key

-- name: aliases_of_models
SELECT name, alias, version FROM registered_model_aliases WHERE name = ANY($1::text[]) ORDER BY alias

-- name: tags_with_keys
SELECT name, key, value FROM registered_model_tags WHERE key = ANY($1::text[])

-- name: latest_versions
SELECT DISTINCT ON (name, stage) name, version FROM model_versions
WHERE name = ANY($1::text[]) ORDER BY name, stage, version DESC

-- name: rename
UPDATE registered_models SET name = $2
WHERE name = $1 AND NOT EXISTS (SELECT FROM registered_models WHERE name = $2 AND name <> $1) RETURNING name

-- name: touch_versions
UPDATE model_versions SET last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::bigint WHERE name = $1

-- name: describe_model
UPDATE registered_models SET description = $2 WHERE name = $1

-- name: delete_model
DELETE FROM registered_models WHERE name = $1

-- name: tag_model
INSERT INTO registered_model_tags (name, key, value) SELECT $1, * FROM unnest($2::text[], $3::text[])
ON CONFLICT (name, key) DO UPDATE SET value = excluded.value

-- name: untag_model
DELETE FROM registered_model_tags WHERE name = $1 AND key = $2

-- name: set_alias
INSERT INTO registered_model_aliases (name, alias, version) VALUES ($1, $2, $3)
ON CONFLICT (name, alias) DO UPDATE SET version = excluded.version

-- name: delete_alias
DELETE FROM registered_model_aliases WHERE name = $1 AND alias = $2

-- name: version_of_alias
SELECT version FROM registered_model_aliases WHERE name = $1 AND alias = $2

-- name: next_version
-- $2: the number that it shall have; 0: the next one.
UPDATE registered_models
SET last_version = CASE $2::bigint WHEN 0 THEN last_version + 1 ELSE $2::bigint END,
    last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE name = $1 AND ($2::bigint = 0 OR $2::bigint > last_version) RETURNING last_version

-- name: create_version
INSERT INTO model_versions (
    name, version, description, source, storage_location, run_id, run_link, model_id, user_id,
    creation_time, last_update_time
)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($10, now_ms), coalesce($10, now_ms)
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS clock (now_ms)

-- name: versions
SELECT model_versions.* FROM unnest($1::text[], $2::bigint[]) AS given (name, version)
JOIN model_versions USING (name, version)

-- name: tags_of_versions
SELECT name, version, key, value
FROM unnest($1::text[], $2::bigint[]) AS given (name, version) JOIN model_version_tags USING (name, version)
ORDER BY key

-- name: lock_version
SELECT version FROM model_versions WHERE name = $1 AND version = $2 FOR UPDATE

-- name: touch_version
UPDATE model_versions SET last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE name = $1 AND version = $2

-- name: describe_version
UPDATE model_versions SET description = $3 WHERE name = $1 AND version = $2

-- name: tag_version
INSERT INTO model_version_tags (name, version, key, value) SELECT $1, $2, * FROM unnest($3::text[], $4::text[])
ON CONFLICT (name, version, key) DO UPDATE SET value = excluded.value

-- name: untag_version
DELETE FROM model_version_tags WHERE name = $1 AND version = $2 AND key = $3

-- name: stage_version
UPDATE model_versions SET stage = $3 WHERE name = $1 AND version = $2

-- name: archive_others
UPDATE model_versions
SET stage = 'Archived', last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE name = $1 AND version <> $2 AND stage = $3

-- name: delete_version
DELETE FROM model_versions WHERE name = $1 AND version = $2

-- name: attributes_of_versions
SELECT name, version, run_id, source, creation_time, last_update_time FROM model_versions

-- name: tags_of_versions_with_keys
SELECT name, version, key, value FROM model_version_tags WHERE key = ANY($1::text[])

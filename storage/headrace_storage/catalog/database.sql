-- name: server_settings
SELECT current_setting('server_version_num')::integer AS version,
       current_setting('server_encoding') AS encoding,
       current_setting('fsync') AS fsync,
       current_setting('synchronous_commit') AS synchronous_commit

-- name: end_when_abandoned
-- A transaction whose client is gone (a machine that died) holds locks that others wait for.
SELECT set_config('idle_in_transaction_session_timeout', '30s', true)

-- name: claim_store
INSERT INTO meta (key, value) VALUES ('object_store', $1) ON CONFLICT (key) DO NOTHING

-- name: store_identity
SELECT value FROM meta WHERE key = 'object_store'

-- name: lock_migrations
SELECT pg_advisory_xact_lock($1)

-- name: create_migrations_table
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: applied_migrations
SELECT number FROM schema_migrations ORDER BY number

-- name: record_migration
INSERT INTO schema_migrations (number, name) VALUES ($1, $2)

-- name: is_catalog
SELECT to_regclass('meta') IS NOT NULL AND to_regclass('segments') IS NOT NULL

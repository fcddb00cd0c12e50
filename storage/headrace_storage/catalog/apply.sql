-- name: create_placeholders
SELECT create_placeholders($1)

-- name: lock_runs
-- Returns those that there are: an erased one is not made again.
SELECT run_id FROM runs WHERE run_id = ANY($1) ORDER BY run_id FOR NO KEY UPDATE

-- name: read_runs
SELECT run_id, experiment_id, run_name, user_id, status, start_time, end_time, placeholder, lapsed
FROM runs WHERE run_id = ANY($1)

-- name: read_attempts
SELECT run_id, token, number, process_id, start_time FROM attempts WHERE run_id = ANY($1) ORDER BY run_id, number

-- name: read_params
SELECT run_id, key, value
FROM unnest($1::uuid[], $2::text[]) AS given (run_id, key) JOIN params USING (run_id, key)

-- name: write_runs
UPDATE runs
SET experiment_id = given.experiment_id, run_name = given.run_name, user_id = given.user_id,
    status = given.status, start_time = given.start_time, end_time = given.end_time, placeholder = given.placeholder,
    lapsed = given.lapsed
FROM unnest(
    $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::boolean[], $9::boolean[]
) AS given (run_id, experiment_id, run_name, user_id, status, start_time, end_time, placeholder, lapsed)
WHERE runs.run_id = given.run_id

-- name: write_attempts
INSERT INTO attempts (run_id, token, number, process_id, start_time)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::bigint[])

-- name: write_params
INSERT INTO params (run_id, key, value) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])

-- name: write_tags
INSERT INTO tags (run_id, key, value) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value

-- name: write_initial_tags
INSERT INTO tags (run_id, key, value) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
ON CONFLICT (run_id, key) DO NOTHING

-- name: delete_tags
DELETE FROM tags USING unnest($1::uuid[], $2::text[]) AS given (run_id, key)
WHERE tags.run_id = given.run_id AND tags.key = given.key

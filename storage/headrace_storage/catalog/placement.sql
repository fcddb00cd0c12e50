-- name: create_experiments
-- Not "ON CONFLICT" alone: that would use up an experiment id at each call.
INSERT INTO experiments (name, creation_time, last_update_time)
SELECT name, now_ms, now_ms
FROM unnest($1::text[]) AS given (name), (SELECT (extract(epoch FROM now()) * 1000)::bigint) AS clock (now_ms)
WHERE NOT EXISTS (SELECT FROM experiments WHERE experiments.name = given.name)
ORDER BY name COLLATE "C"
ON CONFLICT (name) DO NOTHING

-- name: find_experiments
SELECT experiment_id, name, lifecycle_stage FROM experiments WHERE experiment_id = ANY($1) OR name = ANY($2)

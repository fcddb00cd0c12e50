-- Many values come as one: bytes of numbers in network order, one after the other.

-- name: news
-- First what is true now: the server and the file of the table tell a catalog from one that was restored over
-- it; incomplete: some changes since the snapshot $1 (NULL: all) were forgotten. Then the runs that changed
-- since, by what of them. Then the segments with points that are not in the summaries yet, and the runs that
-- show them: their own, forks of these, and those for which a segment is to be folded again.
SELECT 0 AS kind, NULL::bigint AS number, NULL::bytea AS run_ids, pg_current_snapshot()::text AS snapshot,
       concat_ws('/', pg_postmaster_start_time(), pg_relation_filenode('touched'),
                 (SELECT oid FROM pg_database WHERE datname = current_database())) AS identity,
       (SELECT min(xid) FROM touched_marks) > pg_snapshot_xmin($1::text::pg_snapshot) AS incomplete
UNION ALL
SELECT 1, what, string_agg(DISTINCT uuid_send(run_id), ''::bytea), NULL, NULL, NULL
FROM touched
WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot)
  AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
GROUP BY what
UNION ALL
SELECT 2, segment_id, string_agg(uuid_send(run_id), ''::bytea), NULL, NULL, NULL
FROM (
    SELECT segment_id, run_id FROM unfolded JOIN segment_runs USING (segment_id)
    UNION ALL
    SELECT segment_id, views.run_id
    FROM views JOIN segment_runs ON segment_runs.run_id = source JOIN unfolded USING (segment_id)
    WHERE source <> views.run_id
    UNION ALL
    SELECT segment_id, run_id FROM refold
) AS waiting
GROUP BY segment_id
ORDER BY kind

-- name: runs
-- Of all runs, or of those with these ids.
SELECT string_agg(uuid_send(run_id), ''::bytea) AS run_id,
       string_agg(int8send(experiment_id), ''::bytea) AS experiment_id,
       string_agg(int8send(start_time), ''::bytea) AS start_time,
       string_agg(int8send(coalesce(end_time, -1)), ''::bytea) AS end_time,
       string_agg(CASE lifecycle_stage WHEN 'active' THEN '\x01' ELSE '\x02' END::bytea, ''::bytea) AS stage
FROM runs WHERE $1::uuid[] IS NULL OR run_id = ANY($1::uuid[])

-- name: metrics
-- Of the keys $2. `more`: not the last values alone.
SELECT key,
       string_agg(uuid_send(run_id), ''::bytea) AS run_ids,
       string_agg(float8send(last_value), ''::bytea) AS last,
       string_agg(float8send(minimum), ''::bytea) FILTER (WHERE $3) AS min,
       string_agg(float8send(maximum), ''::bytea) FILTER (WHERE $3) AS max,
       string_agg(float8send(first_value), ''::bytea) FILTER (WHERE $3) AS first
FROM summaries
WHERE key = ANY($2::text[]) AND ($1::uuid[] IS NULL OR run_id = ANY($1::uuid[]))
GROUP BY key

-- name: parameter
SELECT value, string_agg(uuid_send(run_id), ''::bytea) AS run_ids
FROM params WHERE key = $2 AND ($1::uuid[] IS NULL OR run_id = ANY($1::uuid[]))
GROUP BY value

-- name: tag
SELECT value, string_agg(uuid_send(run_id), ''::bytea) AS run_ids
FROM tags WHERE key = $2 AND ($1::uuid[] IS NULL OR run_id = ANY($1::uuid[]))
GROUP BY value

-- name: attribute
SELECT value, string_agg(uuid_send(run_id), ''::bytea) AS run_ids
FROM (
    SELECT run_id,
           CASE $2 WHEN 'run_name' THEN run_name WHEN 'user_id' THEN user_id WHEN 'status' THEN status
                   WHEN 'artifact_uri' THEN artifact_uri END AS value
    FROM described_runs
    WHERE $1::uuid[] IS NULL OR run_id = ANY($1::uuid[])
) AS named
GROUP BY value

-- name: dataset
-- What all datasets of a run are called, digest to or are for, as a JSON list. No run has thousands.
SELECT value, string_agg(uuid_send(run_id), ''::bytea) AS run_ids
FROM (
    SELECT run_id, json_agg(DISTINCT text ORDER BY text)::text AS value
    FROM inputs, LATERAL (
        SELECT CASE $2 WHEN 'name' THEN name WHEN 'digest' THEN digest
                       WHEN 'context' THEN tags ->> 'mlflow.data.context' END AS text
    ) AS field
    WHERE text IS NOT NULL AND ($1::uuid[] IS NULL OR run_id = ANY($1::uuid[]))
    GROUP BY run_id
) AS lists
GROUP BY value

-- name: size_of_dataset
SELECT coalesce(sum(octet_length(
    CASE $1 WHEN 'name' THEN name WHEN 'digest' THEN digest ELSE tags ->> 'mlflow.data.context' END
)), 0)::bigint FROM inputs

-- name: size_of_parameter
SELECT coalesce(sum(octet_length(value)), 0)::bigint FROM params WHERE key = $1

-- name: size_of_tag
SELECT coalesce(sum(octet_length(value)), 0)::bigint FROM tags WHERE key = $1

-- name: page
SELECT run_id, run_name, experiment_id, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri,
       p.keys, p.values, t.keys, t.values, m.keys, m.values, m.timestamps, m.steps
FROM described_runs AS runs, LATERAL (
    SELECT coalesce(array_agg(key), ARRAY[]::text[]) AS keys, array_agg(value) AS values
    FROM params WHERE params.run_id = runs.run_id
) AS p, LATERAL (
    SELECT coalesce(array_agg(key), ARRAY[]::text[]) AS keys, array_agg(value) AS values
    FROM tags WHERE tags.run_id = runs.run_id
) AS t, LATERAL (
    SELECT coalesce(array_agg(key), ARRAY[]::text[]) AS keys, array_agg(last_value) AS values,
           array_agg(last_timestamp) AS timestamps, array_agg(last_step) AS steps
    FROM summaries WHERE summaries.run_id = runs.run_id
) AS m
WHERE run_id = ANY($1::uuid[])

-- name: lineages_of_page
-- Of those runs that used or made anything.
SELECT run_id, datasets, models FROM lineages WHERE run_id = ANY(ARRAY(
    SELECT run_id FROM inputs WHERE run_id = ANY($1::uuid[])
    UNION SELECT run_id FROM run_models WHERE run_id = ANY($1::uuid[])
))

-- name: prune
-- What changed more than $1 seconds ago. Below the oldest mark everything is gone already.
WITH horizon AS (
    SELECT max(xid) AS xid FROM touched_marks WHERE marked_at < clock_timestamp() - make_interval(secs => $1)
), forgotten AS (
    DELETE FROM touched USING horizon
    WHERE touched.xid < horizon.xid AND touched.xid >= (SELECT min(xid) FROM touched_marks)
), passed AS (
    DELETE FROM touched_marks USING horizon WHERE touched_marks.xid < horizon.xid
)
INSERT INTO touched_marks (xid) SELECT pg_snapshot_xmin(pg_current_snapshot())
ON CONFLICT (xid) DO NOTHING

-- name: oldest_unfolded
-- At most $1 of them, and about $3 points or summaries to go through.
SELECT b.id, b.path, i.data AS inline, b.rows, b.size, b.checksum, b.level, b.summary
FROM (
    SELECT s.*, u.summary, sum(u.work) OVER (ORDER BY s.id) - u.work AS work_before
    FROM (
        SELECT segment_id, summary, coalesce(octet_length(summary) / 100, s.rows) AS work
        FROM unfolded JOIN segments s ON s.id = segment_id
        WHERE segment_id <> ALL($2::bigint[])
        ORDER BY segment_id LIMIT $1
    ) AS u
    JOIN segments s ON s.id = u.segment_id
) AS b
LEFT JOIN inline_segments i ON i.segment_id = b.id
WHERE work_before < $3
ORDER BY b.id

-- name: mark_folded
DELETE FROM unfolded WHERE segment_id = ANY($1::bigint[])
RETURNING segment_id

-- name: fold
-- $3 to $12: columns of headrace_storage.segments.summary.SUMMARY, rows sorted by run and key.
-- NaN is lowest in the rule for last and first; PostgreSQL puts it above every number.
INSERT INTO summaries AS old (
    run_id, key, last_step, last_timestamp, last_value, first_step, first_timestamp, first_value,
    minimum, maximum, count, nan_count
)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::float8[], $6::bigint[], $7::bigint[], $8::float8[],
    $9::float8[], $10::float8[], $11::bigint[], $12::bigint[]
)
ON CONFLICT (run_id, key) DO UPDATE SET
    (last_step, last_timestamp, last_value) = (
        SELECT step, timestamp, value
        FROM (VALUES
            (old.last_step, old.last_timestamp, old.last_value),
            (excluded.last_step, excluded.last_timestamp, excluded.last_value)
        ) AS candidates (step, timestamp, value)
        ORDER BY step DESC, timestamp DESC, value <> 'NaN' DESC, value DESC LIMIT 1
    ),
    (first_step, first_timestamp, first_value) = (
        SELECT step, timestamp, value
        FROM (VALUES
            (old.first_step, old.first_timestamp, old.first_value),
            (excluded.first_step, excluded.first_timestamp, excluded.first_value)
        ) AS candidates (step, timestamp, value)
        ORDER BY step, timestamp, value <> 'NaN', value LIMIT 1
    ),
    minimum = least(old.minimum, excluded.minimum),
    maximum = CASE
        WHEN old.maximum = 'NaN' THEN excluded.maximum
        WHEN excluded.maximum = 'NaN' THEN old.maximum
        ELSE greatest(old.maximum, excluded.maximum)
    END,
    count = old.count + excluded.count,
    nan_count = old.nan_count + excluded.nan_count

-- name: folded
SELECT run_id, key, last_step, last_timestamp, last_value, first_step, first_timestamp, first_value,
       minimum, maximum, count, nan_count
FROM summaries
WHERE run_id = ANY($1::uuid[]) AND ($2::text[] IS NULL OR key = ANY($2::text[]))

-- name: unfolded
SELECT s.id, s.path, i.data AS inline, s.rows, s.size, s.checksum, s.level, u.summary
FROM unfolded u JOIN segments s ON s.id = u.segment_id LEFT JOIN inline_segments i ON i.segment_id = s.id
WHERE u.segment_id IN (SELECT segment_id FROM segment_runs WHERE run_id = ANY($1::uuid[]))
ORDER BY s.id

-- name: unfolded_segments
SELECT s.id, s.path, i.data AS inline, s.rows, s.size, s.checksum, s.level, u.summary
FROM unfolded u JOIN segments s ON s.id = u.segment_id LEFT JOIN inline_segments i ON i.segment_id = s.id
WHERE u.segment_id = ANY($1::bigint[])
ORDER BY s.id

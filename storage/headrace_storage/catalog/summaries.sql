-- name: newest_unfolded
SELECT max(segment_id) FROM (SELECT segment_id FROM unfolded UNION ALL SELECT segment_id FROM refold) AS waiting

-- name: oldest_unfolded
-- Up to $4, at most $1 of them, and of about $3 bytes of summaries; points that have none count two each.
SELECT b.id, b.path, i.data AS inline, b.rows, b.size, b.checksum, b.level, b.summary
FROM (
    SELECT s.*, u.summary, sum(u.work) OVER (ORDER BY s.id) - u.work AS work_before
    FROM (
        SELECT segment_id, summary, coalesce(octet_length(summary), s.rows * 2) AS work
        FROM unfolded JOIN segments s ON s.id = segment_id
        WHERE segment_id <= $4 AND segment_id <> ALL($2::bigint[])
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
-- $1: runs; $2: which of them, from 1; $4 to $13: columns of headrace_storage.segments.summary.SUMMARY; rows
-- sorted by run and key. NaN is lowest in the rule for last and first; PostgreSQL puts it above every number.
-- -0.0 and 0.0 are equal to PostgreSQL: of such a pair the one that was there stays.
INSERT INTO summaries AS old (
    run_id, key, last_step, last_timestamp, last_value, first_step, first_timestamp, first_value,
    minimum, maximum, count, nan_count
)
SELECT ($1::uuid[])[run], key, last_step, last_timestamp, last_value, first_step, first_timestamp, first_value,
       minimum, maximum, count, nan_count
FROM unnest(
    $2::int[], $3::text[], $4::bigint[], $5::bigint[], $6::float8[], $7::bigint[], $8::bigint[], $9::float8[],
    $10::float8[], $11::float8[], $12::bigint[], $13::bigint[]
) AS given (
    run, key, last_step, last_timestamp, last_value, first_step, first_timestamp, first_value,
    minimum, maximum, count, nan_count
)
ON CONFLICT (run_id, key) DO UPDATE SET
    (last_step, last_timestamp, last_value) = ROW (
        CASE WHEN (excluded.last_step, excluded.last_timestamp, excluded.last_value <> 'NaN', excluded.last_value)
                  > (old.last_step, old.last_timestamp, old.last_value <> 'NaN', old.last_value)
             THEN excluded.last_step ELSE old.last_step END,
        CASE WHEN (excluded.last_step, excluded.last_timestamp, excluded.last_value <> 'NaN', excluded.last_value)
                  > (old.last_step, old.last_timestamp, old.last_value <> 'NaN', old.last_value)
             THEN excluded.last_timestamp ELSE old.last_timestamp END,
        CASE WHEN (excluded.last_step, excluded.last_timestamp, excluded.last_value <> 'NaN', excluded.last_value)
                  > (old.last_step, old.last_timestamp, old.last_value <> 'NaN', old.last_value)
             THEN excluded.last_value ELSE old.last_value END
    ),
    (first_step, first_timestamp, first_value) = ROW (
        CASE WHEN (excluded.first_step, excluded.first_timestamp, excluded.first_value <> 'NaN', excluded.first_value)
                  < (old.first_step, old.first_timestamp, old.first_value <> 'NaN', old.first_value)
             THEN excluded.first_step ELSE old.first_step END,
        CASE WHEN (excluded.first_step, excluded.first_timestamp, excluded.first_value <> 'NaN', excluded.first_value)
                  < (old.first_step, old.first_timestamp, old.first_value <> 'NaN', old.first_value)
             THEN excluded.first_timestamp ELSE old.first_timestamp END,
        CASE WHEN (excluded.first_step, excluded.first_timestamp, excluded.first_value <> 'NaN', excluded.first_value)
                  < (old.first_step, old.first_timestamp, old.first_value <> 'NaN', old.first_value)
             THEN excluded.first_value ELSE old.first_value END
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
-- What the runs show is not in their summaries: of segments that nobody's summaries have, and of those that are
-- to be folded `again` for some of the runs (else NULL). What the runs show stands in the first row.
SELECT s.id, s.path, i.data AS inline, s.rows, s.size, s.checksum, s.level, w.summary, w.again,
       CASE WHEN EXISTS (SELECT FROM views WHERE run_id = ANY($1::uuid[])) AND row_number() OVER (ORDER BY s.id) = 1
            THEN views_of($1::uuid[]) END AS views
FROM (
    SELECT segment_id, summary, NULL::uuid[] AS again FROM unfolded
    WHERE segment_id IN (SELECT segment_id FROM segment_runs WHERE run_id = ANY($1::uuid[] || ARRAY(SELECT source FROM views WHERE views.run_id = ANY($1::uuid[]))))
    UNION ALL
    SELECT segment_id, NULL, array_agg(run_id) FROM refold WHERE run_id = ANY($1::uuid[]) GROUP BY segment_id
) AS w
JOIN segments s ON s.id = w.segment_id LEFT JOIN inline_segments i ON i.segment_id = s.id
ORDER BY s.id

-- name: unfolded_segments
-- The same of the segments $2, which are all that matter.
SELECT s.id, s.path, i.data AS inline, s.rows, s.size, s.checksum, s.level, w.summary, w.again,
       CASE WHEN EXISTS (SELECT FROM views WHERE run_id = ANY($1::uuid[])) AND row_number() OVER (ORDER BY s.id) = 1
            THEN views_of($1::uuid[]) END AS views
FROM (
    SELECT segment_id, summary, NULL::uuid[] AS again FROM unfolded WHERE segment_id = ANY($2::bigint[])
    UNION ALL
    SELECT segment_id, NULL, array_agg(run_id) FROM refold
    WHERE segment_id = ANY($2::bigint[]) AND run_id = ANY($1::uuid[]) GROUP BY segment_id
) AS w
JOIN segments s ON s.id = w.segment_id LEFT JOIN inline_segments i ON i.segment_id = s.id
ORDER BY s.id

-- name: views_into
SELECT views_of(viewers_of($1::bigint[]))

-- name: oldest_refold
-- At most $1 segments, and all runs that they are to be folded again for.
SELECT s.id, s.path, i.data AS inline, s.rows, s.size, s.checksum, s.level, NULL::bytea AS summary, r.again
FROM (
    SELECT segment_id, array_agg(run_id) AS again FROM refold
    WHERE segment_id <> ALL($2::bigint[]) GROUP BY segment_id ORDER BY segment_id LIMIT $1
) AS r
JOIN segments s ON s.id = r.segment_id LEFT JOIN inline_segments i ON i.segment_id = s.id
ORDER BY s.id

-- name: views
SELECT views_of($1::uuid[])

-- name: mark_refolded
DELETE FROM refold USING unnest($1::uuid[], $2::bigint[]) AS given (run_id, segment_id)
WHERE refold.run_id = given.run_id AND refold.segment_id = given.segment_id
RETURNING refold.segment_id

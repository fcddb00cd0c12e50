-- name: commit_group
SELECT commit_group($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)

-- name: was_committed
-- The object may have been compacted away since, its writers' rows pruned.
SELECT EXISTS (
    SELECT FROM unnest($2::uuid[], $3::bigint[]) AS given (writer_id, first)
    JOIN progress USING (writer_id, first) WHERE group_id = $1
) OR EXISTS (SELECT FROM segments WHERE path = $4) OR EXISTS (SELECT FROM garbage WHERE path = $4)

-- name: stored_rejects
SELECT rejects.writer_id, rejects.first, rejects.end_, code, message, run_id
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS given (writer_id, first, end_)
JOIN rejects ON rejects.writer_id = given.writer_id AND rejects.first >= given.first AND rejects.first < given.end_
ORDER BY rejects.writer_id, rejects.first

-- name: store_gaps
INSERT INTO gaps (writer_id, first, end_, reason)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[])

-- name: store_gap_runs
INSERT INTO gap_runs (run_id, writer_id, first)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) ON CONFLICT DO NOTHING

-- name: tag_gaps
INSERT INTO tags (run_id, key, value)
SELECT run_id, $2, sum(lost)::text FROM described_gaps WHERE run_id = ANY($1::uuid[]) GROUP BY run_id ORDER BY run_id
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value

-- name: store_rejects
INSERT INTO rejects (writer_id, first, end_, code, message, run_id)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::uuid[])

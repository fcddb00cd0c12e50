-- name: open_writer
SELECT new_epoch, committed, reached FROM open_writer($1, $2, $3, $4)

-- name: last_open_number
SELECT open_number FROM writers WHERE writer_id = $1

-- name: labels
SELECT writer_id, labels FROM writers WHERE writer_id = ANY($1)

-- name: rejects_above
SELECT writer_id, first, end_, code, message, run_id FROM rejects WHERE writer_id = $1 AND first > $2 ORDER BY first

-- name: prune_page
-- Looks at the next rows from ($1, $2) on and deletes those that another row of the same writer follows.
-- The last row of the page begins the next one: what follows it is not known yet.
WITH page AS MATERIALIZED (
    SELECT writer_id, first, lead(writer_id) OVER (ORDER BY writer_id, first) AS next_writer
    FROM (
        SELECT writer_id, first FROM progress WHERE (writer_id, first) >= ($1::uuid, $2::bigint)
        ORDER BY writer_id, first LIMIT $3
    ) AS rows
), pruned AS (
    DELETE FROM progress USING page
    WHERE progress.writer_id = page.writer_id AND progress.first = page.first
      AND page.next_writer = page.writer_id
    RETURNING 1
)
SELECT writer_id, first, (SELECT count(*) FROM page) AS seen, (SELECT count(*) FROM pruned) AS pruned
FROM page ORDER BY writer_id DESC, first DESC LIMIT 1

-- The two operations of the ingest path, each one round trip. Statements of a function see what committed
-- before each of them began (READ COMMITTED), which both rely on: first wait for a lock, then read.

-- Commits a group, except its changes of runs. Raises, and nothing happened:
--   HR001  the incarnation is dead
--   HR002  writers moved, or the group was committed before (the caller did not learn the outcome);
--          DETAIL is {"holders": {fenced writer: its shipper now}, "elsewhere": [writer]}
-- Arrays of a kind have one length; those of writers are sorted by writer. row_count NULL: no segment.
CREATE FUNCTION commit_group(
    this_group uuid, this_incarnation bigint,
    writer_ids uuid[], epochs bigint[], firsts bigint[], ends bigint[], order_times bigint[],
    row_count bigint, byte_size bigint, crc bigint, object_path text, inline_data bytea,
    encoded_summary bytea, run_ids uuid[],
    new_run_ids uuid[],
    reject_writers uuid[], reject_firsts bigint[], reject_ends bigint[], reject_codes text[],
    reject_messages text[], reject_runs uuid[]
) RETURNS void
LANGUAGE plpgsql
-- Always index lookups by the given keys: a plan that was made while the tables were small is kept.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    locked     bigint;
    inserted   bigint;
    fenced     json;
    elsewhere  json;
    new_id     bigint;
BEGIN
    PERFORM FROM incarnations WHERE id = this_incarnation AND alive FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incarnation % is dead', this_incarnation USING ERRCODE = 'HR001';
    END IF;

    SELECT count(*) INTO locked FROM (
        SELECT FROM unnest(writer_ids, epochs) AS given (writer_id, epoch)
        JOIN writers USING (writer_id, epoch)
        ORDER BY writer_id FOR SHARE OF writers
    ) AS holders;
    IF locked < cardinality(writer_ids) THEN
        SELECT json_object_agg(given.writer_id, writers.shipper_id) INTO fenced
        FROM unnest(writer_ids, epochs) AS given (writer_id, epoch) LEFT JOIN writers USING (writer_id)
        WHERE writers.epoch IS DISTINCT FROM given.epoch;
        RAISE EXCEPTION 'writers are fenced' USING ERRCODE = 'HR002',
            DETAIL = json_build_object('holders', fenced, 'elsewhere', '[]'::json);
    END IF;

    -- Waits for a transaction of the same group that still runs on a connection that was lost.
    INSERT INTO progress (writer_id, first, end_, order_time, group_id)
    SELECT writer_id, first, end_, order_time, this_group
    FROM unnest(writer_ids, firsts, ends, order_times) AS given (writer_id, first, end_, order_time)
    ORDER BY writer_id
    ON CONFLICT (writer_id, first) DO NOTHING;
    GET DIAGNOSTICS inserted = ROW_COUNT;

    -- The newest row of each writer must be the one just inserted, and the one before must end at its first.
    SELECT json_agg(given.writer_id) INTO elsewhere
    FROM unnest(writer_ids, firsts) AS given (writer_id, first)
    WHERE NOT EXISTS (
        SELECT FROM (
            SELECT group_id, first, lead(end_, 1, 0::bigint) OVER (ORDER BY first DESC) AS before
            FROM progress WHERE progress.writer_id = given.writer_id
            ORDER BY first DESC LIMIT 1
        ) AS newest
        WHERE newest.group_id = this_group AND newest.before = given.first
    );
    IF elsewhere IS NOT NULL OR inserted < cardinality(writer_ids) THEN
        RAISE EXCEPTION 'writers stand elsewhere' USING ERRCODE = 'HR002',
            DETAIL = json_build_object('holders', '{}'::json, 'elsewhere', coalesce(elsewhere, '[]'::json));
    END IF;

    IF cardinality(new_run_ids) > 0 THEN
        PERFORM create_placeholders(new_run_ids);
    END IF;

    IF row_count IS NOT NULL THEN
        INSERT INTO segments (incarnation, path, rows, size, checksum)
        VALUES (this_incarnation, object_path, row_count, byte_size, crc)
        RETURNING id INTO new_id;
        IF inline_data IS NOT NULL THEN
            INSERT INTO inline_segments (segment_id, data) VALUES (new_id, inline_data);
        END IF;
        INSERT INTO segment_runs (run_id, segment_id) SELECT run_id, new_id FROM unnest(run_ids) AS run_id;
        INSERT INTO unfolded (segment_id, summary) VALUES (new_id, encoded_summary);
    END IF;

    IF cardinality(reject_writers) > 0 THEN
        INSERT INTO rejects (writer_id, first, end_, code, message, run_id)
        SELECT * FROM unnest(reject_writers, reject_firsts, reject_ends, reject_codes, reject_messages, reject_runs);
    END IF;
END
$$;

CREATE FUNCTION create_placeholders(run_ids uuid[]) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO runs (run_id, experiment_id, start_time, placeholder)
    SELECT run_id, 0, (extract(epoch FROM now()) * 1000)::bigint, true
    FROM unnest(run_ids) AS given (run_id)
    ORDER BY run_id
    ON CONFLICT (run_id) DO NOTHING
$$;

-- Gives the writer to the shipper and says where it stands; no row when a newer Open of the same shipper
-- exists. Waits for commits under the epoch that ends.
CREATE FUNCTION open_writer(this_writer uuid, this_shipper uuid, number bigint, descriptive jsonb)
RETURNS TABLE (new_epoch bigint, committed bigint, reached bigint)
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO writers AS held (writer_id, epoch, shipper_id, open_number, labels)
    VALUES (this_writer, 1, this_shipper, number, descriptive)
    ON CONFLICT (writer_id) DO UPDATE
    SET epoch = held.epoch + 1, shipper_id = this_shipper, open_number = number, labels = descriptive
    WHERE held.shipper_id <> this_shipper OR held.open_number <= number
    RETURNING held.epoch INTO new_epoch;
    IF FOUND THEN
        SELECT end_, order_time INTO committed, reached
        FROM progress WHERE writer_id = this_writer ORDER BY first DESC LIMIT 1;
        committed := coalesce(committed, 0);
        reached := coalesce(reached, 0);
        RETURN NEXT;
    END IF;
END
$$;

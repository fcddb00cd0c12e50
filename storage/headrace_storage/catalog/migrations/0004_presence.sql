-- Runs that end without saying so. Daemons tell which runs have a writer; who has none for a lease is KILLED.

-- When a writer of the run was last heard of. Only runs that are RUNNING have a row for long: without one, a
-- run is not watched. Room for updates in place.
CREATE TABLE presences (
    run_id  uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- One row. Silence counts from `since` on: no time during which no daemon listened (up to `heard_at`) lies
-- after it, and clients had some to come back.
CREATE TABLE watch (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    since    timestamptz NOT NULL,
    heard_at timestamptz NOT NULL
);

-- KILLED because its writers were gone, which is undone when one returns. Whoever writes a status clears it.
ALTER TABLE runs ADD COLUMN lapsed boolean NOT NULL DEFAULT false;

CREATE INDEX runs_running ON runs (run_id) WHERE status = 'RUNNING';

-- Says that the runs have writers now, and returns those that lapsed: they go on. After a break of more than
-- `longest_break` in what daemons told, silence counts anew, `time_to_return` later. Waits for no commit.
CREATE FUNCTION tell_presences(present uuid[], longest_break interval, time_to_return interval)
RETURNS SETOF uuid
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO watch AS kept (since, heard_at) VALUES (clock_timestamp(), clock_timestamp())
    ON CONFLICT (one) DO UPDATE
    SET since = CASE WHEN kept.heard_at < excluded.heard_at - longest_break THEN excluded.since + time_to_return
                     ELSE kept.since END,
        heard_at = greatest(kept.heard_at, excluded.heard_at);

    INSERT INTO presences AS kept (run_id, seen_at)
    SELECT run_id, clock_timestamp() FROM runs
    WHERE run_id = ANY (present) AND status = 'RUNNING'
    ORDER BY run_id
    ON CONFLICT (run_id) DO UPDATE SET seen_at = greatest(kept.seen_at, excluded.seen_at);

    RETURN QUERY
    SELECT run_id FROM runs WHERE run_id = ANY (present) AND status = 'KILLED' AND lapsed;
END
$$;

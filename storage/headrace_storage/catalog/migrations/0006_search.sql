-- Search keeps columns of many runs in memory, and reads again only what changed since it last looked.

-- Which runs changed, and what of them: 1 the run, 2 params, 4 tags, 8 summaries. Insert-only. A reader who
-- knows everything up to a snapshot needs the rows that were not visible in it.
CREATE TABLE touched (
    xid    xid8 NOT NULL DEFAULT pg_current_xact_id(),
    what   smallint NOT NULL,
    run_id uuid NOT NULL
);
CREATE INDEX touched_by_xid ON touched (xid);

-- Every transaction below `xid` had ended at that time. Rows of `touched` below the oldest mark are pruned.
CREATE TABLE touched_marks (
    xid       xid8 PRIMARY KEY,
    marked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO touched_marks (xid) VALUES (pg_snapshot_xmin(pg_current_snapshot()));

-- Triggers, so that whoever changes these tables, now or in a later version, cannot forget it.
CREATE FUNCTION touch() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO touched (what, run_id) SELECT DISTINCT TG_ARGV[0]::smallint, run_id FROM changed;
    RETURN NULL;
END
$$;

DO $$
DECLARE
    topic record;
BEGIN
    FOR topic IN
        SELECT * FROM (VALUES ('runs', 1), ('params', 2), ('tags', 4), ('summaries', 8)) AS topics (name, what)
    LOOP
        EXECUTE format('CREATE TRIGGER touch_inserted AFTER INSERT ON %I REFERENCING NEW TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION touch(%L)', topic.name, topic.what);
        EXECUTE format('CREATE TRIGGER touch_updated AFTER UPDATE ON %I REFERENCING NEW TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION touch(%L)', topic.name, topic.what);
        EXECUTE format('CREATE TRIGGER touch_deleted AFTER DELETE ON %I REFERENCING OLD TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION touch(%L)', topic.name, topic.what);
    END LOOP;
END
$$;

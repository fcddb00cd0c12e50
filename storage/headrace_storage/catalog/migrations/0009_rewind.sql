-- Rewinds and forks: which points are a run's history, where it is not simply all that was logged to it.
-- No point is ever changed or lost by them: they say what readers are shown.

-- Made by the attempt `number`, which resumed from `step`: points of the attempts before it are hidden from that
-- step on, unless it was undone. Times in ms.
CREATE TABLE rewinds (
    run_id     uuid NOT NULL,
    number     integer NOT NULL,
    step       bigint NOT NULL,
    created_at bigint NOT NULL,
    undone_at  bigint,
    PRIMARY KEY (run_id, number)
);

-- What a fork inherits, as it was visible when the fork was made: the points of `source`'s attempts after
-- throughs[i-1] and up to throughs[i], up to the step last_steps[i]; of later attempts, none.
CREATE TABLE inherited (
    run_id     uuid NOT NULL,
    source     uuid NOT NULL,
    throughs   integer[] NOT NULL,
    last_steps bigint[] NOT NULL,
    PRIMARY KEY (run_id, source)
);
CREATE INDEX inherited_by_source ON inherited (source);

-- What a run shows, derived from both: of `source` as in `inherited`, of the run itself all of later attempts.
-- A run with rewinds that hide, and a fork, has a row for itself and one for each run it inherits from; any
-- other run has none.
CREATE TABLE views (
    run_id     uuid NOT NULL,
    source     uuid NOT NULL,
    throughs   integer[] NOT NULL,
    last_steps bigint[] NOT NULL,
    PRIMARY KEY (run_id, source)
);
CREATE INDEX views_by_source ON views (source);

-- Segments that are folded, but not for this run: what it shows was changed since.
CREATE TABLE refold (
    run_id     uuid NOT NULL,
    segment_id bigint NOT NULL,
    PRIMARY KEY (run_id, segment_id)
);
CREATE INDEX refold_by_segment ON refold (segment_id);

-- STABLE: they see the snapshot of the statement that calls them.
CREATE FUNCTION sources_of(run_ids uuid[]) RETURNS uuid[]
LANGUAGE sql STABLE
AS $$ SELECT run_ids || ARRAY(SELECT source FROM views WHERE run_id = ANY(run_ids)) $$;

-- The views of the runs, of all when NULL, as JSON; NULL: there are none.
CREATE FUNCTION views_of(run_ids uuid[]) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT json_agg(json_build_array(
        replace(run_id::text, '-', ''), replace(source::text, '-', ''), throughs, last_steps,
        (SELECT json_object_agg(token, number ORDER BY number) FROM attempts WHERE attempts.run_id = source)
    ) ORDER BY run_id, source)::text
    FROM views WHERE run_ids IS NULL OR run_id = ANY(run_ids)
$$;

-- The runs that show points of a segment.
CREATE FUNCTION viewers_of(segment_ids bigint[]) RETURNS uuid[]
LANGUAGE sql STABLE
AS $$
    SELECT ARRAY(
        SELECT DISTINCT run_id FROM views
        WHERE source IN (SELECT segment_runs.run_id FROM segment_runs WHERE segment_id = ANY(segment_ids))
    )
$$;

-- Deleted: hidden until it is restored. Erased: gone for good.

-- When it was deleted, ms. Runs that were deleted with their experiment have its time, and are restored with it.
ALTER TABLE experiments ADD COLUMN deleted_at bigint;
ALTER TABLE runs ADD COLUMN deleted_at bigint;
CREATE INDEX runs_deleted ON runs (deleted_at) WHERE deleted_at IS NOT NULL;

-- Ids of runs that were erased. What journals still deliver of them makes no new run.
CREATE TABLE erased_runs (
    run_id    uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL DEFAULT now()
);

CREATE OR REPLACE FUNCTION create_placeholders(run_ids uuid[]) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO runs (run_id, experiment_id, start_time, placeholder)
    SELECT run_id, 0, (extract(epoch FROM now()) * 1000)::bigint, true
    FROM unnest(run_ids) AS given (run_id)
    WHERE NOT EXISTS (SELECT FROM erased_runs WHERE erased_runs.run_id = given.run_id)
    ORDER BY run_id
    ON CONFLICT (run_id) DO NOTHING
$$;

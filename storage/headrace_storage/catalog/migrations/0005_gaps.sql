-- What a journal could not deliver any more. Part of a writer's progress: committed exactly once, as cells are.
CREATE TABLE gaps (
    writer_id  uuid NOT NULL,
    first      bigint NOT NULL,
    end_       bigint NOT NULL CHECK (end_ > first),
    reason     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (writer_id, first)
);

-- The runs that the writer logs to: which of them a lost cell was of, nobody knows.
CREATE TABLE gap_runs (
    run_id    uuid NOT NULL,
    writer_id uuid NOT NULL,
    first     bigint NOT NULL,
    PRIMARY KEY (run_id, writer_id, first)
);

CREATE VIEW described_gaps AS
SELECT run_id, writer_id, first, end_, end_ - first AS lost, reason, created_at
FROM gap_runs JOIN gaps USING (writer_id, first);

-- Files that erased runs shared with others still hold their points, until the compactor has written them anew.
-- Their rows in segment_runs are moved here.
CREATE TABLE erased_points (
    segment_id bigint NOT NULL,
    run_id     uuid NOT NULL,
    PRIMARY KEY (segment_id, run_id)
);

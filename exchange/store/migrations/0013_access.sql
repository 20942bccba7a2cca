-- migrate:up
-- Who read what, written before the first byte of the answer leaves.
-- "batch_index" is the leaf of the access batch that committed the row to the log.
CREATE TABLE access_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    read_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reader text NOT NULL,
    client_id text NOT NULL,
    operation text NOT NULL,
    carrier text,
    vehicles text[] NOT NULL,
    grants bigint[] NOT NULL,
    items integer NOT NULL,
    first_index bigint,
    last_index bigint,
    batch_index bigint
);

CREATE INDEX access_log_by_carrier ON access_log (carrier, id);

-- migrate:down

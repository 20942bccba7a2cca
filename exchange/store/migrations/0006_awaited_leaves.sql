-- migrate:up
-- How many leaves were put back from a copy of the log while their records are still awaited: 0 in
-- the life of a log that was never restored, and then nothing has to be looked for.
ALTER TABLE tree_head ADD COLUMN awaited bigint NOT NULL DEFAULT 0 CHECK (awaited >= 0);

-- migrate:down

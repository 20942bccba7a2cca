-- migrate:up
-- What each round of asking the witnesses brought (DESIGN section 4): the checkpoint as it was sent to
-- all of them, with every cosignature it has by then. A round that brought none leaves no row; one that
-- is repeated, because the quorum was not met, leaves another.
CREATE TABLE witness_round (
    size bigint NOT NULL REFERENCES checkpoint,
    held_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    note bytea NOT NULL,
    final boolean NOT NULL,
    PRIMARY KEY (size, held_at)
);

-- Base64 of a signature does not compress: trying to would only cost time.
ALTER TABLE witness_round ALTER COLUMN note SET STORAGE EXTERNAL;

-- What /log/checkpoint is.
CREATE INDEX witness_round_final ON witness_round (size DESC, held_at DESC) WHERE final;

-- migrate:down

-- migrate:up
-- The log's signature for the RFC 9942 receipts of a checkpoint: one serves every leaf of it. Made
-- by the signer after the fence holds the checkpoint, in the transaction that publishes it.
CREATE TABLE receipt_signature (
    size bigint PRIMARY KEY REFERENCES checkpoint,
    signature bytea NOT NULL CHECK (length(signature) = 64)
);

-- Where leaf hashes are: the first 8 bytes of each as a number, with its leaf. Filled from the tiles
-- when somebody asks by leaf hash, so that appending a leaf costs nothing for it; can be emptied and
-- is filled again.
CREATE TABLE leaf_lookup (
    prefix bigint NOT NULL,
    index bigint NOT NULL,
    PRIMARY KEY (prefix, index)
);

CREATE TABLE leaf_lookup_progress (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    next_index bigint NOT NULL CHECK (next_index >= 0)
);

INSERT INTO leaf_lookup_progress (next_index) VALUES (0);

-- migrate:down

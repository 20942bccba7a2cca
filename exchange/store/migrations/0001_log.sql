-- migrate:up
-- The transparency log (DESIGN section 4). "index" is a leaf's place in the tree.

-- One row, and the only lock that serialises writers: whoever assigns indices holds it to the commit,
-- so that the order of indices is the order of commits.
CREATE TABLE tree_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    size bigint NOT NULL CHECK (size >= 0),
    root bytea NOT NULL CHECK (length(root) = 32),
    key_epoch bigint NOT NULL
);

-- The empty tree's root is SHA-256 of nothing (RFC 9162 section 2.1.1).
INSERT INTO tree_head (size, root, key_epoch) VALUES (0, sha256(''), 0);

-- C2SP tlog-tiles of height 8: 32-byte hashes, one after the other. A tile only grows.
CREATE TABLE tile (
    level smallint NOT NULL,
    n bigint NOT NULL,
    hashes bytea NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192),
    PRIMARY KEY (level, n)
);

-- Hashes do not compress: trying to would only cost time.
ALTER TABLE tile ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- "segment_id" leads from a leaf of kind 1 to its row; a segment's index is found here by its digest.
CREATE TABLE leaf (
    index bigint PRIMARY KEY,
    kind smallint NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    segment_id bigint
);

CREATE INDEX leaf_by_digest ON leaf (digest);

-- Every statement that is not a segment, as signed.
CREATE TABLE statement (
    index bigint PRIMARY KEY REFERENCES leaf,
    kind smallint NOT NULL,
    digest bytea NOT NULL UNIQUE,
    issuer text NOT NULL,
    subject text NOT NULL,
    raw bytea NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX statement_by_kind ON statement (kind, index);

CREATE INDEX statement_by_subject ON statement (subject, issuer, index);

-- History: every checkpoint that was ever signed. A row here is published.
CREATE TABLE checkpoint (
    size bigint PRIMARY KEY,
    root bytea NOT NULL,
    note bytea NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What the signer last said of itself, for the operator.
CREATE TABLE signer_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    state text NOT NULL,
    detail text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- migrate:down

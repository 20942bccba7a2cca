-- migrate:up
-- Organisations, their keys and the clients that act for them.
CREATE TABLE organisation (
    name text PRIMARY KEY,
    role text NOT NULL,
    admitted_at timestamptz NOT NULL DEFAULT now()
);

-- One row per hp-org record of the log; "index" is its leaf.
CREATE TABLE org_key (
    thumbprint bytea PRIMARY KEY,
    organisation text NOT NULL REFERENCES organisation,
    cose_key bytea NOT NULL,
    kid bytea NOT NULL,
    index bigint NOT NULL UNIQUE,
    created_ms bigint NOT NULL,
    revoked_index bigint
);

CREATE INDEX org_key_by_organisation ON org_key (organisation);

CREATE TABLE oauth_client (
    client_id text PRIMARY KEY,
    organisation text NOT NULL REFERENCES organisation,
    secret_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX oauth_client_by_organisation ON oauth_client (organisation);

-- migrate:down

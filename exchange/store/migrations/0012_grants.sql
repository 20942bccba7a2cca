-- migrate:up
-- Grants (hp-grant) and what ended them (hp-rev), as the carriers signed them.
CREATE TABLE grant_record (
    index bigint PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    carrier text NOT NULL REFERENCES organisation,
    grantee text NOT NULL REFERENCES organisation,
    purpose text NOT NULL,
    legal_basis text NOT NULL,
    vehicles text[] NOT NULL,
    fields text[],
    precision smallint NOT NULL,
    identity boolean NOT NULL,
    window_from_ms bigint NOT NULL,
    window_to_ms bigint,
    expires_ms bigint NOT NULL,
    revoked_index bigint,
    revoked_ms bigint
);

CREATE INDEX grant_record_by_grantee ON grant_record (grantee, carrier);

CREATE INDEX grant_record_by_carrier ON grant_record (carrier, index);

CREATE TABLE revocation (
    index bigint PRIMARY KEY,
    carrier text NOT NULL REFERENCES organisation,
    target_kind smallint NOT NULL,
    target_digest bytea NOT NULL UNIQUE,
    at_ms bigint NOT NULL
);

-- migrate:down

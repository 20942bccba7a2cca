-- migrate:up
-- The first answer to a POST with an Idempotency-Key; the answer is sealed, because some carry a secret once.
CREATE TABLE idempotency (
    client_id text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    sealed_answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (client_id, route, key)
);

CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- migrate:down

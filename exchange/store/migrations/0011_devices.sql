-- migrate:up
-- Devices, their keys (hp-dev) and the vehicles they speak for (hp-bind).
CREATE TABLE device (
    carrier text NOT NULL REFERENCES organisation,
    device text NOT NULL,
    assurance smallint NOT NULL,
    note text NOT NULL,
    mqtt_secret_hash bytea NOT NULL,
    admitted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (carrier, device)
);

-- The primary key is the rule "one public key belongs to one device, ever".
CREATE TABLE device_key (
    thumbprint bytea PRIMARY KEY,
    carrier text NOT NULL,
    device text NOT NULL,
    cose_key bytea NOT NULL,
    kid bytea NOT NULL,
    index bigint NOT NULL UNIQUE,
    created_ms bigint NOT NULL,
    revoked_index bigint,
    FOREIGN KEY (carrier, device) REFERENCES device
);

CREATE INDEX device_key_by_device ON device_key (carrier, device);

CREATE TABLE binding (
    index bigint PRIMARY KEY,
    carrier text NOT NULL,
    device text NOT NULL,
    vehicle text NOT NULL,
    from_ms bigint NOT NULL,
    to_ms bigint,
    FOREIGN KEY (carrier, device) REFERENCES device
);

CREATE INDEX binding_by_device ON binding (carrier, device, from_ms);

CREATE INDEX binding_by_vehicle ON binding (carrier, vehicle, from_ms);

-- migrate:down

-- migrate:up
-- Which statement bears which name: (carrier, device, boot, seq) names one statement for ever,
-- segment or gap. Never partitioned, so that the name stays unique whatever is done to segments.
CREATE TABLE segment_key (
    carrier text NOT NULL,
    device text NOT NULL,
    boot bytea NOT NULL,
    seq bigint NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (carrier, device, boot, seq)
);

CREATE SEQUENCE segment_id;

-- One row per segment: the signed bytes and, by migration 0003, one small array per signal.
-- Times in ms since 1970 UTC as the truck believed; positions in 1e-7 degrees; speeds in the
-- catalogue's scale. NULL where the segment says nothing of it.
CREATE TABLE segment (
    id bigint PRIMARY KEY,
    digest bytea NOT NULL,
    carrier text NOT NULL,
    device text NOT NULL,
    boot bytea NOT NULL,
    seq bigint NOT NULL,
    vehicle text NOT NULL,
    t0 bigint NOT NULL,
    t_end bigint NOT NULL,
    n integer NOT NULL,
    step_ms bigint,
    offsets_ms bigint[],
    flags smallint NOT NULL,
    driver_class boolean NOT NULL,
    unstored integer NOT NULL,
    speed_min integer,
    speed_max integer,
    speed_mean real,
    distance_m real,
    latitude_min integer,
    latitude_max integer,
    longitude_min integer,
    longitude_max integer,
    received_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL,
    raw bytea NOT NULL
);

-- Signed bytes hold a deflated block: compressing them again gains nothing.
ALTER TABLE segment ALTER COLUMN raw SET STORAGE EXTERNAL;

CREATE INDEX segment_by_vehicle ON segment (carrier, vehicle, t0, t_end);

-- Refused messages. "raw" is NULL where the bytes are not kept (limits: exchange.intake.quarantine).
CREATE TABLE quarantine (
    carrier text NOT NULL,
    device text NOT NULL,
    digest bytea NOT NULL,
    reason text NOT NULL,
    permanent boolean NOT NULL,
    detail text NOT NULL,
    boot bytea,
    seq bigint,
    size_bytes integer NOT NULL,
    raw bytea,
    times bigint NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (carrier, device, digest)
);

ALTER TABLE quarantine ALTER COLUMN raw SET STORAGE EXTERNAL;

-- Counts go on when bytes and digests are no longer kept.
CREATE TABLE quarantine_count (
    carrier text NOT NULL,
    device text NOT NULL,
    reason text NOT NULL,
    messages bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (carrier, device, reason)
);

-- What is kept: per device, and in all under the empty names.
CREATE TABLE quarantine_kept (
    carrier text NOT NULL,
    device text NOT NULL,
    digests bigint NOT NULL,
    messages bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (carrier, device)
);

-- migrate:down

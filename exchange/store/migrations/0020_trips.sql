-- migrate:up
-- Trips as derived (DESIGN section 6); everything here can be dropped and derived again.

-- One row per trip statement. "superseded_index" is the statement that replaced it, NULL for the
-- newest. Times in UTC ms.
CREATE TABLE trip (
    index bigint PRIMARY KEY REFERENCES statement,
    trip_id bytea NOT NULL CHECK (length(trip_id) = 16),
    revision bigint NOT NULL CHECK (revision > 0),
    carrier text NOT NULL,
    vehicle text NOT NULL,
    start_ms bigint NOT NULL,
    end_ms bigint NOT NULL,
    decided_ms bigint NOT NULL,
    odometer_m bigint,
    gnss_mm bigint,
    content_digest bytea NOT NULL CHECK (length(content_digest) = 32),
    last_input bigint NOT NULL,
    superseded_index bigint,
    UNIQUE (trip_id, revision)
);

CREATE INDEX trip_by_vehicle ON trip (carrier, vehicle, end_ms);

-- Up to which leaf new data was noticed.
CREATE TABLE trip_progress (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    next_index bigint NOT NULL
);

INSERT INTO trip_progress (next_index) VALUES (0);

-- Vehicles with data that was noticed and not yet derived from: since when, by which leaf first.
CREATE TABLE trip_pending (
    carrier text NOT NULL,
    vehicle text NOT NULL,
    from_ms bigint NOT NULL,
    first_index bigint NOT NULL,
    PRIMARY KEY (carrier, vehicle)
);

-- From where a vehicle's derivation can go on: "settled_ms" rests on data up to "judged_ms".
CREATE TABLE trip_settled (
    carrier text NOT NULL,
    vehicle text NOT NULL,
    settled_ms bigint NOT NULL,
    judged_ms bigint NOT NULL,
    PRIMARY KEY (carrier, vehicle, settled_ms)
);

-- migrate:down

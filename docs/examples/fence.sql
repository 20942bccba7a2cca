-- Run once by a superuser, on another server than the exchange's: psql -f fence.sql. Put in a password
-- of your own. What was signed can be replaced by a newer checkpoint, and not removed.
CREATE ROLE haulproof_fence LOGIN PASSWORD 'fence-password';
CREATE DATABASE haulproof_fence;
\connect haulproof_fence
CREATE TABLE haulproof_fence (
    origin text PRIMARY KEY,
    note bytea NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT, UPDATE (note, moved_at) ON haulproof_fence TO haulproof_fence;

-- migrate:up
-- The broker password as Mosquitto's password file holds it; empty for a device that was admitted
-- before there was this column, which gets a new password when it is admitted again.
ALTER TABLE device ADD COLUMN mosquitto_hash text NOT NULL DEFAULT '';

-- migrate:down

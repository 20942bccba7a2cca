-- migrate:up
-- What replaced a device's key (its record's leaf) and what of the old key may still arrive: the last
-- seq of each boot, as the rotation lists them.
ALTER TABLE device_key ADD COLUMN rotated_index bigint;
ALTER TABLE device_key ADD COLUMN rotated_boots bytea[];
ALTER TABLE device_key ADD COLUMN rotated_seqs bigint[];

-- Which release let a message out that was kept aside (its leaf); its bytes are a record then.
ALTER TABLE quarantine ADD COLUMN released_index bigint;

-- migrate:down

-- migrate:up
-- Where segments are filed: a TimescaleDB hypertable by time where the database has the extension,
-- native partitions by id where it has not (docs/adr/0027). Decided once, here.

-- The time by which a row is filed: t0, or when it was received where the truck's clock can't have
-- been right. A clock that is wrong by years must not make a partition of its own.
ALTER TABLE segment ADD COLUMN filed_at timestamptz;

UPDATE segment SET filed_at = CASE
    WHEN to_timestamp(t0 / 1000.0)
        BETWEEN received_at - interval '366 days' AND received_at + interval '1 day'
    THEN to_timestamp(t0 / 1000.0)
    ELSE received_at
END;

-- The default is for a version that runs while this migrates, and knows nothing of the column.
ALTER TABLE segment ALTER COLUMN filed_at SET NOT NULL;

ALTER TABLE segment ALTER COLUMN filed_at SET DEFAULT clock_timestamp();

-- The view "exposure" says of each vehicle and day (UTC, by filed_at): segments, samples, time in ms,
-- metres along its fixes and metres by its mean speeds (km/h / 100 in a millisecond: 1 / 360000 m),
-- NULL where nothing was measured. It counts what was sent, not trips: those are in "trip".

-- Partitions ahead of the newest id, so that none is missing when it is needed; what finds none all
-- the same goes to segment_rest. By SECURITY DEFINER the runtime role can call it and can't do DDL.
-- On a hypertable there is nothing to make.
CREATE FUNCTION make_segment_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
    rows_each CONSTANT bigint := 16777216;
    ahead CONSTANT integer := 4;
    newest bigint;
    low bigint;
    part text;
    made integer := 0;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'public.segment'::regclass) <> 'p' THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('make_segment_partitions'));
    SELECT last_value INTO newest FROM public.segment_id;
    FOR n IN newest / rows_each .. newest / rows_each + ahead LOOP
        low := n * rows_each;
        part := format('segment_%s', n);
        CONTINUE WHEN to_regclass(format('public.%I', part)) IS NOT NULL;
        CONTINUE WHEN EXISTS (
            SELECT FROM public.segment_rest WHERE id >= low AND id < low + rows_each
        );
        -- Made aside and attached: inserts into other partitions go on meanwhile.
        EXECUTE format('CREATE TABLE public.%I (LIKE public.segment INCLUDING ALL)', part);
        EXECUTE format(
            'ALTER TABLE public.segment ATTACH PARTITION public.%I FOR VALUES FROM (%s) TO (%s)',
            part, low, low + rows_each
        );
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

REVOKE ALL ON FUNCTION make_segment_partitions() FROM PUBLIC;

DO $$
DECLARE
    sample_text text := pg_get_viewdef('sample'::regclass);
    rows_each CONSTANT bigint := 16777216;
    parts bigint;
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        ALTER TABLE segment DROP CONSTRAINT segment_pkey;
        ALTER TABLE segment ADD PRIMARY KEY (id, filed_at);
        PERFORM create_hypertable(
            'segment', by_range('filed_at', interval '7 days'),
            create_default_indexes => false, migrate_data => true
        );
        ALTER TABLE segment SET (
            timescaledb.compress,
            timescaledb.compress_segmentby = 'carrier, vehicle',
            timescaledb.compress_orderby = 't0, id'
        );
        PERFORM add_compression_policy('segment', interval '90 days');
        EXECUTE $view$
            CREATE MATERIALIZED VIEW exposure
            WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
            SELECT carrier, vehicle, time_bucket(interval '1 day', filed_at) AS day,
                count(*) AS segments, sum(n)::bigint AS samples,
                sum(t_end - t0)::bigint AS observed_ms, sum(distance_m)::float8 AS distance_m,
                sum(speed_mean * (t_end - t0) / 360000)::float8 AS speed_distance_m,
                max(speed_max) AS speed_max
            FROM segment WHERE NOT driver_class
            GROUP BY carrier, vehicle, time_bucket(interval '1 day', filed_at)
            WITH NO DATA
        $view$;
        PERFORM add_continuous_aggregate_policy(
            'exposure', start_offset => interval '400 days', end_offset => interval '1 hour',
            schedule_interval => interval '1 hour'
        );
    ELSE
        SELECT last_value / rows_each + 1 INTO parts FROM segment_id;
        DROP VIEW sample;
        ALTER TABLE segment RENAME TO segment_0;
        ALTER INDEX segment_pkey RENAME TO segment_0_pkey;
        ALTER INDEX segment_by_vehicle RENAME TO segment_0_by_vehicle;
        CREATE TABLE segment (LIKE segment_0 INCLUDING DEFAULTS INCLUDING STORAGE)
            PARTITION BY RANGE (id);
        ALTER TABLE segment ADD PRIMARY KEY (id);
        CREATE INDEX segment_by_vehicle ON segment (carrier, vehicle, t0, t_end);
        EXECUTE format(
            'ALTER TABLE segment ATTACH PARTITION segment_0 FOR VALUES FROM (0) TO (%s)',
            parts * rows_each
        );
        CREATE TABLE segment_rest PARTITION OF segment DEFAULT;
        PERFORM make_segment_partitions();
        EXECUTE 'CREATE VIEW sample AS ' || sample_text;
        CREATE VIEW exposure AS
            SELECT carrier, vehicle, date_trunc('day', filed_at, 'UTC') AS day,
                count(*) AS segments, sum(n)::bigint AS samples,
                sum(t_end - t0)::bigint AS observed_ms, sum(distance_m)::float8 AS distance_m,
                sum(speed_mean * (t_end - t0) / 360000)::float8 AS speed_distance_m,
                max(speed_max) AS speed_max
            FROM segment WHERE NOT driver_class
            GROUP BY carrier, vehicle, date_trunc('day', filed_at, 'UTC');
    END IF;
END
$$;

-- migrate:down

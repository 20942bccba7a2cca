-- migrate:up
-- What ANALYZE does not look at: nobody asks for a row by what is in these columns. Reading arrays and
-- signed bytes for statistics cost a quarter of a core while a fleet uploads. A new signal's migration
-- does the same for its column.
ALTER TABLE segment
    ALTER COLUMN digest SET STATISTICS 0,
    ALTER COLUMN boot SET STATISTICS 0,
    ALTER COLUMN raw SET STATISTICS 0,
    ALTER COLUMN offsets_ms SET STATISTICS 0,
    ALTER COLUMN s1 SET STATISTICS 0,
    ALTER COLUMN s2 SET STATISTICS 0,
    ALTER COLUMN s3 SET STATISTICS 0,
    ALTER COLUMN s4 SET STATISTICS 0,
    ALTER COLUMN s5 SET STATISTICS 0,
    ALTER COLUMN s6 SET STATISTICS 0,
    ALTER COLUMN s7 SET STATISTICS 0,
    ALTER COLUMN s8 SET STATISTICS 0,
    ALTER COLUMN s9 SET STATISTICS 0,
    ALTER COLUMN s10 SET STATISTICS 0,
    ALTER COLUMN s11 SET STATISTICS 0,
    ALTER COLUMN s12 SET STATISTICS 0,
    ALTER COLUMN s13 SET STATISTICS 0,
    ALTER COLUMN s14 SET STATISTICS 0,
    ALTER COLUMN s15 SET STATISTICS 0,
    ALTER COLUMN s16 SET STATISTICS 0,
    ALTER COLUMN s17 SET STATISTICS 0,
    ALTER COLUMN s18 SET STATISTICS 0,
    ALTER COLUMN s19 SET STATISTICS 0,
    ALTER COLUMN s20 SET STATISTICS 0,
    ALTER COLUMN s21 SET STATISTICS 0,
    ALTER COLUMN s22 SET STATISTICS 0,
    ALTER COLUMN s23 SET STATISTICS 0,
    ALTER COLUMN s24 SET STATISTICS 0,
    ALTER COLUMN s25 SET STATISTICS 0,
    ALTER COLUMN s26 SET STATISTICS 0,
    ALTER COLUMN s27 SET STATISTICS 0,
    ALTER COLUMN s28 SET STATISTICS 0,
    ALTER COLUMN s29 SET STATISTICS 0,
    ALTER COLUMN s30 SET STATISTICS 0,
    ALTER COLUMN s31 SET STATISTICS 0,
    ALTER COLUMN s32 SET STATISTICS 0,
    ALTER COLUMN s33 SET STATISTICS 0,
    ALTER COLUMN s34 SET STATISTICS 0,
    ALTER COLUMN s35 SET STATISTICS 0,
    ALTER COLUMN s36 SET STATISTICS 0,
    ALTER COLUMN s37 SET STATISTICS 0,
    ALTER COLUMN s38 SET STATISTICS 0,
    ALTER COLUMN s39 SET STATISTICS 0,
    ALTER COLUMN s40 SET STATISTICS 0;

ALTER TABLE segment_key
    ALTER COLUMN boot SET STATISTICS 0,
    ALTER COLUMN digest SET STATISTICS 0;

ALTER TABLE tile ALTER COLUMN hashes SET STATISTICS 0;

-- A partition that is made later does the same.
CREATE OR REPLACE FUNCTION make_segment_partitions() RETURNS integer
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
    attribute name;
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
        FOR attribute IN
            SELECT attname FROM pg_attribute
            WHERE attrelid = 'public.segment'::regclass AND attstattarget = 0
        LOOP
            EXECUTE format('ALTER TABLE public.%I ALTER COLUMN %I SET STATISTICS 0', part, attribute);
        END LOOP;
        EXECUTE format(
            'ALTER TABLE public.segment ATTACH PARTITION public.%I FOR VALUES FROM (%s) TO (%s)',
            part, low, low + rows_each
        );
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- migrate:down

-- migrate:up
-- How many leaves were put back from a copy of the log while their records are still awaited: 0 in
-- the life of a log that was never restored, and then nothing has to be looked for.
ALTER TABLE tree_head ADD COLUMN awaited bigint NOT NULL DEFAULT 0 CHECK (awaited >= 0);

-- Leads such leaves to their segments' rows (NULL: a statement's own row). By SECURITY DEFINER the
-- runtime role can call it and can't change a leaf otherwise.
CREATE FUNCTION attach_awaited(indices bigint[], segment_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.leaf SET segment_id = record.segment_id
    FROM unnest(indices, segment_ids) AS record(index, segment_id)
    WHERE leaf.index = record.index AND leaf.segment_id IS NULL;
    UPDATE public.tree_head SET awaited = awaited - cardinality(indices);
END
$$;

REVOKE ALL ON FUNCTION attach_awaited(bigint[], bigint[]) FROM PUBLIC;

-- migrate:down

-- Sealed values that nothing points to go after a day.

-- Who points to a sealed value: asked before it is forgotten, and by its foreign keys.
CREATE INDEX config_version_value_id ON config_version (value_id) WHERE value_id IS NOT NULL;
CREATE INDEX request_change_value_id ON request_change (value_id) WHERE value_id IS NOT NULL;
CREATE INDEX draft_change_value_id ON draft_change (value_id) WHERE value_id IS NOT NULL;

-- Forgets sealed values to which no version, proposal or draft points, among some pages of the table: what drafts held that were thrown
-- away. Not the newest: whoever has just sealed one is about to point to it.
CREATE FUNCTION forget_secret_values(p_begin tid, p_end tid) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM secret_value s
        WHERE s.ctid >= p_begin AND s.ctid < p_end AND s.created_at < clock_timestamp() - interval '24 hours'
          AND NOT EXISTS (SELECT FROM config_version v WHERE v.value_id = s.value_id)
          AND NOT EXISTS (SELECT FROM request_change c WHERE c.value_id = s.value_id)
          AND NOT EXISTS (SELECT FROM draft_change d WHERE d.value_id = s.value_id)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

GRANT EXECUTE ON FUNCTION forget_secret_values TO configsvc_service;

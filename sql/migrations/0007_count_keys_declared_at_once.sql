-- After many keys were declared at once: until Postgres has counted them it plans for a few, and a release of all of them would go
-- through all of them for each. The table's owner alone may do so.
CREATE FUNCTION count_keys() RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    ANALYZE config_key;
END $$;

GRANT EXECUTE ON FUNCTION count_keys TO configsvc_service;

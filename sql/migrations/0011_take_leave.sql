-- A client that ends says so, and is neither alive nor lost any more.

-- Whose word a row is; null of a service from before this.
ALTER TABLE config_watch ADD COLUMN token_id text;

-- Writes what many clients said with their syncs, each client once, and measures the releases that this shows to have arrived. Also
-- with nothing to say this is called every second: it keeps the watch clock going.
-- `p_reports`: a JSON array of objects with the columns of config_watch, and `env` and `age_s` for env_id and last_seen, and `leaving`
-- for live_until: the client ends.
CREATE OR REPLACE FUNCTION report_clients(p_reports json, p_live_s double precision) RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz;
    v_moved record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('configsvc reports')); -- see measure_convergence
    v_now := clock_timestamp();
    INSERT INTO watch_clock AS c (shows, looked_at, complete_from) VALUES (v_now, v_now, v_now + p_live_s * interval '1 second')
    ON CONFLICT (only_row) DO UPDATE SET shows = (SELECT t.now FROM watch_time t), looked_at = v_now
    -- Often enough, whoever else looks.
    WHERE c.looked_at NOT BETWEEN v_now - interval '1 second' AND v_now;
    v_now := (SELECT t.now FROM watch_time t);
    FOR v_moved IN
        WITH written AS (
            INSERT INTO config_watch AS w
                (client_id, env_id, namespaces, service, host, pid, sdk, transport, revision, cursor, rejected, last_seen, live_until,
                 token_id)
            SELECT c.client_id, e.id, c.namespaces, c.service, c.host, c.pid, c.sdk, c.transport,
                   CASE WHEN c.rejected IS NULL THEN c.revision ELSE 0 END, CASE WHEN c.rejected IS NULL THEN c.cursor ELSE '' END,
                   c.rejected, v_now - c.age_s * interval '1 second',
                   CASE WHEN c.leaving THEN '-infinity' ELSE v_now + (p_live_s - c.age_s) * interval '1 second' END, c.token_id
            FROM json_to_recordset(p_reports) AS c (
                client_id text, env text, namespaces text[], service text, host text, pid integer, sdk text, transport text,
                revision bigint, cursor text, rejected text, age_s double precision, leaving boolean, token_id text)
            JOIN environment e ON e.name = c.env
            ON CONFLICT (client_id) DO UPDATE SET
                env_id = EXCLUDED.env_id, namespaces = EXCLUDED.namespaces, service = EXCLUDED.service, host = EXCLUDED.host,
                pid = EXCLUDED.pid, sdk = EXCLUDED.sdk, transport = EXCLUDED.transport,
                revision = CASE WHEN EXCLUDED.rejected IS NULL THEN EXCLUDED.revision ELSE w.revision END,
                cursor = CASE WHEN EXCLUDED.rejected IS NULL THEN EXCLUDED.cursor ELSE w.cursor END,
                rejected = EXCLUDED.rejected, last_seen = EXCLUDED.last_seen, live_until = EXCLUDED.live_until,
                token_id = EXCLUDED.token_id
            -- Not over what another worker wrote since, unless the clock was set back since the last look at it.
            WHERE (w.last_seen <= EXCLUDED.last_seen OR w.last_seen > v_now)
              -- Nobody speaks for a client of another token while that is alive, nor takes leave for it ever: its id is no secret.
              AND (w.token_id = EXCLUDED.token_id OR EXCLUDED.live_until > '-infinity'
                  AND (w.token_id IS NULL OR EXCLUDED.token_id IS NULL OR w.live_until <= v_now))
              -- After that a request that was still on its way brings it back to nobody.
              AND (w.live_until > '-infinity' OR w.last_seen < EXCLUDED.last_seen - interval '10 seconds')
            RETURNING w.client_id, w.env_id, w.revision, w.cursor)
        -- The statement sees the table as it was before.
        SELECT n.env_id, min(coalesce(o.revision, 0)) AS after_revision, max(n.revision) AS revision
        FROM written n LEFT JOIN config_watch o ON o.client_id = n.client_id
        WHERE o.cursor IS DISTINCT FROM n.cursor
        GROUP BY n.env_id
    LOOP
        PERFORM measure_convergence(v_moved.env_id, v_moved.after_revision, v_moved.revision);
    END LOOP;
END $$;

-- report: what many clients said since the last report, newest last; one statement for all of them
INSERT INTO config_watch AS w
    (client_id, env_id, namespaces, service, host, pid, sdk, transport, revision, cursor, rejected, last_seen)
SELECT c.client_id, e.id, string_to_array(c.namespaces, ','), c.service, c.host, c.pid, c.sdk, c.transport, c.revision, c.cursor,
       c.rejected, clock_timestamp()
FROM unnest(%(client_ids)s::text[], %(envs)s::text[], %(namespaces)s::text[], %(services)s::text[], %(hosts)s::text[],
            %(pids)s::integer[], %(sdks)s::text[], %(transports)s::text[], %(revisions)s::bigint[], %(cursors)s::text[],
            %(rejected)s::text[])
    AS c (client_id, env, namespaces, service, host, pid, sdk, transport, revision, cursor, rejected)
JOIN environment e ON e.name = c.env
-- Two workers that report the same clients take the rows in the same order, or they would lock each other out.
ORDER BY c.client_id
ON CONFLICT (client_id) DO UPDATE SET
    env_id = EXCLUDED.env_id, namespaces = EXCLUDED.namespaces, service = EXCLUDED.service, host = EXCLUDED.host,
    pid = EXCLUDED.pid, sdk = EXCLUDED.sdk, transport = EXCLUDED.transport, revision = EXCLUDED.revision,
    cursor = EXCLUDED.cursor, rejected = EXCLUDED.rejected, last_seen = EXCLUDED.last_seen

-- affected: how many live clients follow one of some namespaces, and of which services
SELECT count(*) AS count, coalesce(array_agg(DISTINCT w.service ORDER BY w.service), '{}') AS services
FROM config_watch w JOIN environment e ON e.id = w.env_id
WHERE e.name = %(env)s AND w.namespaces && %(namespaces)s::text[]
  AND w.last_seen > clock_timestamp() - %(live_s)s * interval '1 second'

-- live: the clients of an environment that are alive, by service, host and pid
SELECT w.client_id, w.service, w.host, w.pid, w.namespaces, w.revision, w.transport, w.sdk, w.rejected, w.last_seen
FROM config_watch w JOIN environment e ON e.id = w.env_id
WHERE e.name = %(env)s AND (%(namespace)s::text IS NULL OR w.namespaces @> ARRAY[%(namespace)s::text])
  AND w.last_seen > clock_timestamp() - %(live_s)s * interval '1 second'
ORDER BY w.service, w.host, w.pid, w.client_id

-- forget: clients that fell silent long ago
DELETE FROM config_watch WHERE last_seen < clock_timestamp() - %(kept_s)s * interval '1 second'

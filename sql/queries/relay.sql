-- renew: take or renew the lease, and read what to publish, in one statement; no row means that another relay leads.
--   The beats that the last turn used are reserved, so that no two headers ever share one.
WITH lease AS (
    UPDATE relay_lease
    SET holder = %(holder)s, expires_at = clock_timestamp() + %(lease_s)s * interval '1 second',
        beat = greatest(beat + %(beats_used)s + 1, trunc(extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
    WHERE holder = %(holder)s OR expires_at < clock_timestamp()
    RETURNING beat)
SELECT lease.beat, e.id AS env_id, e.name AS env, r.revision, r.hash, p.hash AS previous_hash, r.namespaces,
       o.revision IS NOT NULL AS unpublished
FROM lease
CROSS JOIN environment e
CROSS JOIN LATERAL (
    SELECT o.revision FROM (
        (SELECT o.revision FROM outbox o WHERE o.env_id = e.id AND o.published_at IS NULL ORDER BY o.revision LIMIT %(batch)s)
    ) AS o
    UNION ALL
    SELECT NULL) AS o
JOIN release r ON r.env_id = e.id AND r.revision = coalesce(o.revision, e.revision)
LEFT JOIN release p ON p.env_id = e.id AND p.revision = r.revision - 1
ORDER BY e.id, o.revision NULLS LAST

-- release: give the lease back at a clean stop, so that another relay leads at once
UPDATE relay_lease SET expires_at = '-infinity' WHERE holder = %(holder)s

-- changes: the changes of some releases of one environment, in the order of the messages
SELECT v.revision, n.name AS namespace, k.name, k.type, v.version, v.value
FROM config_version v JOIN config_key k ON k.id = v.key_id JOIN namespace n ON n.id = v.namespace_id
WHERE v.env_id = %(env_id)s AND v.revision = ANY (%(revisions)s)
ORDER BY v.revision, n.name COLLATE "C", k.name COLLATE "C"

-- mark: published; a release that is published twice because this did not happen does no harm
UPDATE outbox SET published_at = clock_timestamp() WHERE env_id = %(env_id)s AND revision = ANY (%(revisions)s)

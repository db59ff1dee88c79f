-- listen: hear of commits; NOTIFY carries env:revision as a hint
LISTEN configsvc

-- session: for the relay's connection.
--   Neither a renewal nor a mark has to survive a crash (a lost mark publishes again), and waiting for the disk would delay every push.
--   A leader that waits for a statement longer than this has lost its lease.
SELECT set_config('synchronous_commit', 'off', false), set_config('statement_timeout', '2s', false)

-- renew: take or renew the lease and read what to publish, in one statement; no row means that another relay leads.
--   Every environment's newest release comes last in its environment, for the heartbeat. Each row has a beat of its own, recorded
--   before anything is sent: no two headers ever share one, whoever dies when and whatever the clock does. A lease that ends later than
--   one begun now was given by a clock that has been set back since: nobody waits for its end.
WITH turn AS (
    SELECT e.id AS env_id, e.name AS env, w.revision, w.unpublished,
           row_number() OVER (ORDER BY e.id, w.unpublished DESC, w.revision) AS place
    FROM environment e
    CROSS JOIN LATERAL (
        (SELECT o.revision, true AS unpublished FROM outbox o
         WHERE o.env_id = e.id AND o.published_at IS NULL ORDER BY o.revision LIMIT %(batch)s)
        UNION ALL
        SELECT e.revision, false) AS w),
lease AS (
    UPDATE relay_lease
    SET holder = %(holder)s, expires_at = clock_timestamp() + %(lease_s)s * interval '1 second',
        beat = greatest(beat, trunc(extract(epoch FROM clock_timestamp()) * 1000000)::bigint) + (SELECT count(*) FROM turn)
    WHERE holder = %(holder)s OR expires_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + %(lease_s)s * interval '1 second'
    RETURNING beat - (SELECT count(*) FROM turn) AS beat)
SELECT lease.beat + t.place AS beat, t.env_id, t.env, t.revision, t.unpublished, r.hash, p.hash AS previous_hash, r.namespaces
FROM lease
CROSS JOIN turn t
JOIN release r ON r.env_id = t.env_id AND r.revision = t.revision
LEFT JOIN release p ON p.env_id = t.env_id AND p.revision = t.revision - 1
ORDER BY t.place

-- give_back: end the lease now, so that another relay leads at once
UPDATE relay_lease SET expires_at = '-infinity' WHERE holder = %(holder)s

-- changes: the changes of some releases of one environment, in the order of the messages.
--   A part that is over the limit whatever its exact bytes are comes as one row that does not fit, without its values: a restore of a
--   large scope must not fill the relay's memory. 37 = the shortest change, without its key.
SELECT revision, namespace, key, type, secret, version, value, fits
FROM (
    SELECT v.revision, n.name AS namespace, k.name AS key, k.type, v.value_id IS NOT NULL AS secret, v.version, v.value,
           row_number() OVER part AS place,
           sum(37 + octet_length(k.name) + coalesce(octet_length(v.value), 0)) OVER (PARTITION BY v.revision, n.name)
               <= %(bytes_max)s AS fits
    FROM config_version v JOIN config_key k ON k.id = v.key_id JOIN namespace n ON n.id = v.namespace_id
    WHERE v.env_id = %(env_id)s AND v.revision = ANY (%(revisions)s)
    WINDOW part AS (PARTITION BY v.revision, n.name ORDER BY k.name COLLATE "C")) AS c
WHERE fits OR place = 1
ORDER BY revision, namespace COLLATE "C", place

-- mark: published; a release that is published twice because this did not happen does no harm
UPDATE outbox SET published_at = clock_timestamp() WHERE env_id = %(env_id)s AND revision = ANY (%(revisions)s)

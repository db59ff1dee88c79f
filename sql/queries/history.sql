-- release_by_revision: the label of one release of an environment
SELECT e.id AS env_id, e.revision AS newest, r.revision, r.hash
FROM environment e LEFT JOIN release r ON r.env_id = e.id AND r.revision = %(revision)s
WHERE e.name = %(env)s

-- release_at: the newest release at a moment; the commit makes times grow with revisions, so one descent finds it
SELECT e.id AS env_id, e.revision AS newest, r.revision, r.hash
FROM environment e LEFT JOIN LATERAL (
    SELECT r.revision, r.hash FROM release r WHERE r.env_id = e.id AND r.created_at <= %(at)s
    ORDER BY r.created_at DESC LIMIT 1) AS r ON true
WHERE e.name = %(env)s

-- scope_last: a namespace, and the last release up to a revision that touched it; one descent per key, however long its history is
SELECT n.id AS namespace_id, r.revision, r.hash
FROM namespace n
CROSS JOIN LATERAL (
    SELECT coalesce(max(v.revision), 0) AS revision FROM config_key k
    CROSS JOIN LATERAL (
        SELECT v.revision FROM config_version v
        WHERE v.env_id = %(env_id)s AND v.key_id = k.id AND v.revision <= %(revision)s
        ORDER BY v.revision DESC LIMIT 1) AS v
    WHERE k.namespace_id = n.id) AS last
JOIN release r ON r.env_id = %(env_id)s AND r.revision = last.revision
WHERE n.name = %(namespace)s

-- namespace_id: of one namespace by name
SELECT id FROM namespace WHERE name = %(namespace)s

-- versions: a page of one key's versions in one environment, newest first, over all declarations of the name; of those only the
--   present one has an active version
SELECT v.version, v.revision, v.value, v.fingerprint, k.type, v.is_active AND k.deleted_at IS NULL AS is_active, v.deleted, v.created_by, v.created_at, r.note, r.kind, r.review
FROM environment e
JOIN namespace n ON n.name = %(namespace)s
JOIN config_key k ON k.namespace_id = n.id AND k.name = %(key)s
-- A page of each declaration, by index: a key's page costs the same however many versions it has.
CROSS JOIN LATERAL (
    SELECT v.* FROM config_version v
    WHERE v.env_id = e.id AND v.key_id = k.id AND v.revision < %(before)s
    ORDER BY v.revision DESC LIMIT %(limit)s) AS v
JOIN release r ON r.env_id = e.id AND r.revision = v.revision
WHERE e.name = %(env)s
ORDER BY v.revision DESC LIMIT %(limit)s

-- version: the value of one version of a key, over all declarations of the name: version numbers go on through them
SELECT k.type, v.value, v.value_id, v.fingerprint
FROM environment e
JOIN namespace n ON n.name = %(namespace)s
JOIN config_key k ON k.namespace_id = n.id AND k.name = %(key)s
JOIN config_version v ON v.env_id = e.id AND v.key_id = k.id AND v.version = %(version)s
WHERE e.name = %(env)s

-- releases: a page of an environment's releases, newest first; the empty beginning is none. Not a join: that would sort all of them
SELECT r.revision, r.hash, r.kind, r.note, r.namespaces, r.created_by, r.created_at, r.review
FROM release r
WHERE r.env_id = (SELECT e.id FROM environment e WHERE e.name = %(env)s) AND r.revision > 0 AND r.revision < %(before)s
  AND (%(namespace)s::text IS NULL OR r.namespaces @> ARRAY[%(namespace)s::text])
ORDER BY r.revision DESC LIMIT %(limit)s

-- changed: the first settings, so many at most, that each of some releases changed in some namespaces
SELECT w.revision, c.namespace, c.name
FROM unnest(%(revisions)s::bigint[]) AS w (revision)
CROSS JOIN LATERAL (
    SELECT n.name AS namespace, k.name
    FROM config_version v
    JOIN namespace n ON n.id = v.namespace_id AND n.name = ANY(%(namespaces)s::text[])
    JOIN config_key k ON k.id = v.key_id
    WHERE v.env_id = (SELECT e.id FROM environment e WHERE e.name = %(env)s) AND v.revision = w.revision
    ORDER BY n.name, k.name LIMIT %(limit)s
) AS c

-- release: one release
SELECT e.id AS env_id, r.revision, r.hash, r.kind, r.note, r.namespaces, r.created_by, r.created_at, r.review
FROM environment e JOIN release r ON r.env_id = e.id AND r.revision = %(revision)s AND r.revision > 0
WHERE e.name = %(env)s

-- compare: the keys of a scope that differ between two revisions, with both states; only keys that changed in between are looked at.
--   Grouped, because a name may have been deleted and declared anew in between: only one declaration has a value at a time.
SELECT k.name, k.type,
       max(f.version) FILTER (WHERE NOT f.deleted) AS from_version, max(f.value) AS from_value,
       max(f.value_id::text)::uuid AS from_value_id, max(f.fingerprint) AS from_fingerprint,
       max(t.version) FILTER (WHERE NOT t.deleted) AS to_version, max(t.value) AS to_value, max(t.fingerprint) AS to_fingerprint
FROM (
    SELECT DISTINCT v.key_id FROM config_version v
    WHERE v.env_id = %(env_id)s AND v.namespace_id = %(namespace_id)s
      AND v.revision > least(%(from)s::bigint, %(to)s::bigint) AND v.revision <= greatest(%(from)s::bigint, %(to)s::bigint)) AS c
JOIN config_key k ON k.id = c.key_id
LEFT JOIN LATERAL (
    SELECT v.version, v.value, v.value_id, v.fingerprint, v.deleted FROM config_version v
    WHERE v.env_id = %(env_id)s AND v.key_id = c.key_id AND v.revision <= %(from)s::bigint
    ORDER BY v.revision DESC LIMIT 1) AS f ON true
LEFT JOIN LATERAL (
    SELECT v.version, v.value, v.fingerprint, v.deleted FROM config_version v
    WHERE v.env_id = %(env_id)s AND v.key_id = c.key_id AND v.revision <= %(to)s::bigint
    ORDER BY v.revision DESC LIMIT 1) AS t ON true
GROUP BY k.name, k.type
HAVING max(f.value) IS DISTINCT FROM max(t.value) OR max(f.fingerprint) IS DISTINCT FROM max(t.fingerprint)
ORDER BY k.name COLLATE "C", k.type

-- touched: the namespaces that changed between two revisions of an environment
SELECT DISTINCT n.name FROM config_version v JOIN namespace n ON n.id = v.namespace_id
WHERE v.env_id = %(env_id)s AND v.revision > least(%(from)s::bigint, %(to)s::bigint) AND v.revision <= greatest(%(from)s::bigint, %(to)s::bigint)
ORDER BY n.name

-- undoing: what each key of a release was before it, the last release that touched it, and the newest one of that moment
SELECT e.revision AS newest, n.name AS namespace, k.name, k.type, k.deleted_at IS NOT NULL AS key_deleted, b.value AS before_value,
       b.value_id AS before_value_id, b.fingerprint AS before_fingerprint, a.revision AS last_revision
FROM environment e
JOIN config_version v ON v.env_id = e.id AND v.revision = %(revision)s
JOIN config_key k ON k.id = v.key_id
JOIN namespace n ON n.id = v.namespace_id
LEFT JOIN config_version b ON b.env_id = v.env_id AND b.key_id = v.key_id AND b.version = v.version - 1
JOIN config_version a ON a.env_id = v.env_id AND a.key_id = v.key_id AND a.is_active
WHERE e.id = %(env_id)s
ORDER BY n.name COLLATE "C", k.name COLLATE "C"

-- differences: what one release changed, with what was before; for a dry run, inside its transaction
SELECT n.name AS namespace, k.name, k.type, b.version AS from_version, b.value AS from_value, b.fingerprint AS from_fingerprint,
       v.version AS to_version, v.value AS to_value, v.fingerprint AS to_fingerprint
FROM config_version v
JOIN config_key k ON k.id = v.key_id
JOIN namespace n ON n.id = v.namespace_id
LEFT JOIN config_version b ON b.env_id = v.env_id AND b.key_id = v.key_id AND b.version = v.version - 1
WHERE v.env_id = %(env_id)s AND v.revision = %(revision)s
ORDER BY n.name COLLATE "C", k.name COLLATE "C"

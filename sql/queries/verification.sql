-- environments: every environment, in the order of making
SELECT e.id, e.name, e.revision FROM environment e ORDER BY e.id

-- strays: the environments that are not there, and rows of theirs are
SELECT x.env_id, string_agg(x.what, ', ' ORDER BY x.what) AS what
FROM (
    SELECT DISTINCT r.env_id, 'releases' AS what FROM release r
    UNION SELECT v.env_id, 'values' FROM config_version v
    UNION SELECT s.env_id, 'scopes' FROM scope s
    UNION SELECT a.chain, 'audit events' FROM audit_event a WHERE a.chain <> 0) AS x
WHERE NOT EXISTS (SELECT FROM environment e WHERE e.id = x.env_id)
GROUP BY x.env_id ORDER BY x.env_id

-- releases: an environment's releases, oldest first
SELECT r.revision, r.hash, r.kind, r.note, r.namespaces, r.created_by, r.created_at, r.review::text
FROM release r WHERE r.env_id = %(env_id)s ORDER BY r.revision

-- changes: all versions of an environment by release; one whose key or namespace is gone is among them
SELECT v.revision, n.name, k.name, k.type, v.version, v.value, v.value_id::text, v.fingerprint, v.deleted,
       coalesce(k.namespace_id = v.namespace_id, false), v.created_by, v.created_at
FROM config_version v
LEFT JOIN config_key k ON k.id = v.key_id
LEFT JOIN namespace n ON n.id = v.namespace_id
WHERE v.env_id = %(env_id)s ORDER BY v.revision

-- chain: a chain's audit events, oldest first
SELECT a.id, e.name, a.revision, a.action, a.actor, a.request_id, a.address, a.namespaces, a.details::text, a.created_at, a.hash
FROM audit_event a LEFT JOIN environment e ON e.id = a.env_id
WHERE a.chain = %(chain)s ORDER BY a.id

-- wrong_key: the first key of which not exactly the newest version is the active one
SELECT coalesce(n.name || '/' || k.name, 'key ' || x.key_id) AS name, x.active
FROM (
    SELECT v.key_id, count(*) FILTER (WHERE v.is_active) AS active
    FROM config_version v WHERE v.env_id = %(env_id)s
    GROUP BY v.key_id
    HAVING count(*) FILTER (WHERE v.is_active) <> 1 OR max(v.version) <> max(v.version) FILTER (WHERE v.is_active)) AS x
LEFT JOIN config_key k ON k.id = x.key_id
LEFT JOIN namespace n ON n.id = k.namespace_id
ORDER BY n.name COLLATE "C", k.name COLLATE "C", x.key_id LIMIT 1

-- wrong_scope: the first scope that is not what its versions add up to
SELECT coalesce(n.name, 'namespace ' || coalesce(x.namespace_id, s.namespace_id)) AS name,
       x.revision, x.keys, x.bytes, s.revision AS scope_revision, s.keys AS scope_keys, s.bytes AS scope_bytes
FROM (
    SELECT v.namespace_id, max(v.revision) AS revision, count(coalesce(v.value, v.value_id::text)) FILTER (WHERE v.is_active) AS keys,
           coalesce(sum(octet_length(k.name) + coalesce(octet_length(v.value), octet_length(t.ciphertext))) FILTER (WHERE v.is_active), 0) AS bytes
    FROM config_version v LEFT JOIN config_key k ON k.id = v.key_id LEFT JOIN secret_value t ON t.value_id = v.value_id
    WHERE v.env_id = %(env_id)s
    GROUP BY v.namespace_id) AS x
FULL JOIN (SELECT * FROM scope WHERE env_id = %(env_id)s) AS s ON s.namespace_id = x.namespace_id
LEFT JOIN namespace n ON n.id = coalesce(x.namespace_id, s.namespace_id)
WHERE (x.revision, x.keys, x.bytes) IS DISTINCT FROM (s.revision, s.keys, s.bytes)
ORDER BY n.name COLLATE "C", 1 LIMIT 1

-- release_tails: the last release of each environment
SELECT e.name, r.revision AS number, encode(r.hash, 'hex') AS hash
FROM environment e CROSS JOIN LATERAL (SELECT * FROM release r WHERE r.env_id = e.id ORDER BY r.revision DESC LIMIT 1) AS r
ORDER BY e.id

-- event_tails: the last audit event of each chain that has one
SELECT c.name, a.id AS number, encode(a.hash, 'hex') AS hash
FROM (SELECT 0::smallint AS id, '' AS name UNION ALL SELECT e.id, e.name FROM environment e) AS c
CROSS JOIN LATERAL (SELECT * FROM audit_event a WHERE a.chain = c.id ORDER BY a.id DESC LIMIT 1) AS a
ORDER BY c.id

-- release_hash: the hash of one release
SELECT encode(r.hash, 'hex') AS hash FROM release r WHERE r.env_id = %(chain)s AND r.revision = %(number)s

-- event_hash: the hash of one event of a chain
SELECT encode(a.hash, 'hex') AS hash FROM audit_event a WHERE a.chain = %(chain)s AND a.id = %(number)s

-- moment: when the snapshot was taken
SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at

-- archive: events as one JSON object each, oldest first; details stand there as they are hashed
SELECT row_to_json(x)::text
FROM (
    SELECT a.id, coalesce(c.name, '') AS chain, e.name AS env, a.revision, a.action, a.actor, a.request_id, a.address, a.namespaces,
           a.details, to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
           encode(a.hash, 'hex') AS hash
    FROM audit_event a LEFT JOIN environment e ON e.id = a.env_id LEFT JOIN environment c ON c.id = a.chain
    WHERE (%(envs)s::text[] IS NULL OR e.name = ANY (%(envs)s::text[]))
      AND (%(since)s::timestamptz IS NULL OR a.created_at >= %(since)s::timestamptz)
      AND (%(until)s::timestamptz IS NULL OR a.created_at < %(until)s::timestamptz)
    ORDER BY a.id) AS x

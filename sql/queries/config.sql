-- scope_label: the environment, and the release that a scope stands at: one look-up, which decides 304, 200 from memory, or a render
SELECT e.id AS env_id, n.id AS namespace_id, r.revision, r.hash
FROM environment e
JOIN namespace n ON n.name = %(namespace)s
LEFT JOIN scope s ON s.env_id = e.id AND s.namespace_id = n.id
JOIN release r ON r.env_id = e.id AND r.revision = coalesce(s.revision, 0)
WHERE e.name = %(env)s

-- newest: one environment's newest release; all that a client with nothing new costs
SELECT r.revision, r.hash FROM environment e JOIN release r ON r.env_id = e.id AND r.revision = e.revision WHERE e.name = %(env)s

-- labels: one environment's newest release, its scopes asked for, and whether `have` is in its history; one statement, so one moment
SELECT e.id AS env_id, e.revision, r.hash,
       (SELECT h.hash FROM release h WHERE h.env_id = e.id AND h.revision = %(have)s) AS have_hash,
       (SELECT json_object_agg(n.name, json_build_array(n.id, q.revision, encode(q.hash, 'hex')))
        FROM namespace n
        LEFT JOIN scope s ON s.env_id = e.id AND s.namespace_id = n.id
        JOIN release q ON q.env_id = e.id AND q.revision = coalesce(s.revision, 0)
        WHERE n.name = ANY (%(namespaces)s)) AS scopes
FROM environment e JOIN release r ON r.env_id = e.id AND r.revision = e.revision
WHERE e.name = %(env)s

-- scope_at: every key of a scope as it was at a revision; history never changes, so neither does the answer
SELECT k.name, k.type, v.version, v.value, v.value_id, v.fingerprint
FROM config_key k
CROSS JOIN LATERAL (
    -- The active version, unless it is younger: its index stays small however long the history grows (`+ 0` keeps the planner from
    -- those that grow). The second branch runs only where the first finds nothing; where both do, they find the same.
    (SELECT v.version, v.value, v.value_id, v.fingerprint, v.deleted FROM config_version v
     WHERE v.env_id = %(env_id)s AND v.key_id = k.id AND v.is_active AND v.revision + 0 <= %(revision)s)
    UNION ALL
    (SELECT v.version, v.value, v.value_id, v.fingerprint, v.deleted FROM config_version v
     WHERE v.env_id = %(env_id)s AND v.key_id = k.id AND v.revision <= %(revision)s
     ORDER BY v.revision DESC LIMIT 1)
    LIMIT 1) AS v
WHERE k.namespace_id = %(namespace_id)s AND NOT v.deleted
ORDER BY k.name COLLATE "C"

-- changes_between: each key's last change after one revision and up to another, oldest first; history never changes, so neither does this
SELECT v.namespace_id, k.name, k.type, v.version, v.value, v.value_id, v.fingerprint
FROM (
    SELECT DISTINCT ON (v.key_id) v.namespace_id, v.key_id, v.revision, v.version, v.value, v.value_id, v.fingerprint
    FROM config_version v
    WHERE v.env_id = %(env_id)s AND v.revision > %(after)s AND v.revision <= %(revision)s AND v.namespace_id = ANY (%(namespace_ids)s)
    ORDER BY v.key_id, v.revision DESC) AS v
JOIN config_key k ON k.id = v.key_id
ORDER BY v.revision, k.name COLLATE "C"

-- active: one key's active version, and the release that made it; all of it is of the version, so its number is an ETag for all
SELECT k.type, v.version, v.value, v.value_id, v.fingerprint, v.revision, r.hash, v.created_by, v.created_at
FROM environment e
JOIN namespace n ON n.name = %(namespace)s
JOIN config_key k ON k.namespace_id = n.id AND k.name = %(key)s AND k.deleted_at IS NULL
LEFT JOIN config_version v ON v.env_id = e.id AND v.key_id = k.id AND v.is_active
LEFT JOIN release r ON r.env_id = e.id AND r.revision = v.revision
WHERE e.name = %(env)s

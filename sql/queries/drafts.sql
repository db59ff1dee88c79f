-- drafts: how many changes somebody has collected, by place
SELECT e.name AS env, n.name AS namespace, count(*) AS changes
FROM draft_change d JOIN environment e ON e.id = d.env_id JOIN config_key k ON k.id = d.key_id JOIN namespace n ON n.id = k.namespace_id
WHERE d.session_id = %(session_id)s
GROUP BY e.id, n.name ORDER BY e.id, n.name COLLATE "C"

-- names: which settings of a namespace are in somebody's drafts
SELECT e.name AS env, k.name
FROM draft_change d JOIN environment e ON e.id = d.env_id JOIN config_key k ON k.id = d.key_id JOIN namespace n ON n.id = k.namespace_id
WHERE d.session_id = %(session_id)s AND n.name = %(namespace)s

-- changes: a draft of an environment beside what each change was made on and what is live, and the revision at which that holds: one
-- statement, so one moment
SELECT e.revision, d.id, d.key_id, n.name AS namespace, k.name, k.type, k.secret, k.deleted_at IS NOT NULL AS key_deleted,
       d.value, d.value_id, d.fingerprint, d.base_version, b.value AS base_value, b.fingerprint AS base_fingerprint,
       CASE WHEN a.deleted THEN 0 ELSE coalesce(a.version, 0) END AS live_version, a.value AS live_value,
       a.fingerprint AS live_fingerprint, a.created_by AS live_by, a.created_at AS live_at, NULL::text AS new_schema
FROM environment e
JOIN draft_change d ON d.env_id = e.id AND d.session_id = %(session_id)s
JOIN config_key k ON k.id = d.key_id
JOIN namespace n ON n.id = k.namespace_id
LEFT JOIN config_version a ON a.env_id = e.id AND a.key_id = d.key_id AND a.is_active
LEFT JOIN config_version b ON b.env_id = e.id AND b.key_id = d.key_id AND b.version = d.base_version
WHERE e.name = %(env)s
ORDER BY n.name COLLATE "C", k.name COLLATE "C"

-- size: of a draft without one key
SELECT count(*) AS changes, coalesce(sum(octet_length(d.value)), 0) AS bytes FROM draft_change d
WHERE d.session_id = %(session_id)s AND d.env_id = %(env_id)s AND d.key_id <> %(key_id)s

-- insert: under a new number, so that whoever has seen the draft before notices
INSERT INTO draft_change (session_id, env_id, key_id, value, value_id, fingerprint, base_version)
VALUES (%(session_id)s, %(env_id)s, %(key_id)s, %(value)s, %(value_id)s, %(fingerprint)s, %(base_version)s)

-- delete_key: one setting's change
DELETE FROM draft_change WHERE session_id = %(session_id)s AND env_id = %(env_id)s AND key_id = %(key_id)s

-- delete: some changes by number, of their owner
DELETE FROM draft_change WHERE session_id = %(session_id)s AND id = ANY (%(ids)s)

-- rebase: the same change made on another version, under a new number
WITH old AS (DELETE FROM draft_change WHERE session_id = %(session_id)s AND id = %(id)s RETURNING *)
INSERT INTO draft_change (session_id, env_id, key_id, value, value_id, fingerprint, base_version)
SELECT session_id, env_id, key_id, value, value_id, fingerprint, %(base_version)s FROM old

-- delete_plain: what stands in clear in anybody's draft, when the key becomes a secret
DELETE FROM draft_change WHERE key_id = %(key_id)s AND value IS NOT NULL

-- lock_environment: what touches a request waits for commits, and commits wait for it
SELECT id, name, review_required, approvals, revision FROM environment WHERE name = %(env)s FOR NO KEY UPDATE

-- pending: how many requests of an environment wait for somebody
SELECT count(*) AS pending FROM change_request WHERE env_id = %(env_id)s AND status IN ('open', 'approved')

-- bases: what each key is now, in the order named: what a proposal is made on
SELECT w.key_id, coalesce(a.version, 0) AS base_version, a.value, a.fingerprint, k.definition AS base_definition, k.schema
FROM unnest(%(key_ids)s::bigint[]) WITH ORDINALITY AS w (key_id, position)
JOIN config_key k ON k.id = w.key_id
LEFT JOIN config_version a ON a.env_id = %(env_id)s AND a.key_id = w.key_id AND a.is_active
ORDER BY w.position

-- insert_request: a new one; its changes come with insert_changes
INSERT INTO change_request (env_id, note, namespaces, base, digest, author, principal)
VALUES (%(env_id)s, %(note)s, %(namespaces)s, %(base)s, %(digest)s, %(author)s, %(principal)s)
RETURNING id

-- insert_changes: of one edition
INSERT INTO request_change
    (request_id, edition, key_id, value, new_schema, base_version, base_definition, value_id, fingerprint,
     source_env, source_revision)
SELECT %(request_id)s, %(edition)s, w.*
FROM unnest(%(key_ids)s::bigint[], %(values)s::text[], %(schemas)s::text[], %(base_versions)s::integer[], %(base_definitions)s::integer[],
            %(value_ids)s::uuid[], %(fingerprints)s::text[], %(source_envs)s::text[], %(source_revisions)s::bigint[]) AS w

-- edit_request: another edition, made on what is there now; it begins anew
UPDATE change_request
SET status = 'open', void_reason = NULL, edition = edition + 1, note = %(note)s, namespaces = %(namespaces)s, base = %(base)s,
    digest = %(digest)s, updated_at = clock_timestamp()
WHERE id = %(id)s
RETURNING edition

-- set_status: after a review or a withdrawal
UPDATE change_request SET status = %(status)s, void_reason = NULL, updated_at = clock_timestamp() WHERE id = %(id)s

-- insert_review: somebody's word about one edition
INSERT INTO request_review (request_id, edition, decision, comment, reviewer, principal)
VALUES (%(request_id)s, %(edition)s, %(decision)s, %(comment)s, %(reviewer)s, %(principal)s)

-- request: one, with what it still needs
SELECT q.id, e.id AS env_id, e.name AS env, e.review_required, e.approvals, e.revision AS newest, q.status, q.edition, q.note, q.namespaces,
       q.base, q.digest, q.author, q.principal, q.created_at, q.updated_at, q.void_reason, q.revision,
       approved_by(q.id, q.edition, q.principal) AS approved_by
FROM change_request q JOIN environment e ON e.id = q.env_id
WHERE q.id = %(id)s

-- requests: a page, newest first
SELECT q.id, e.name AS env, e.approvals, q.status, q.edition, q.note, q.namespaces, q.base, q.author, q.created_at, q.updated_at,
       q.void_reason, q.revision, approved_by(q.id, q.edition, q.principal) AS approved_by
FROM change_request q JOIN environment e ON e.id = q.env_id
WHERE q.id < %(before)s
  AND (%(env)s::text IS NULL OR e.name = %(env)s::text)
  AND (%(namespace)s::text IS NULL OR q.namespaces @> ARRAY[%(namespace)s::text])
  AND (%(status)s::text IS NULL OR q.status = %(status)s::text)
  AND (%(author)s::text IS NULL OR q.author = %(author)s::text)
ORDER BY q.id DESC LIMIT %(limit)s

-- changes: what an edition proposes, beside what it was made on and what is live
SELECT c.key_id, n.name AS namespace, k.name, k.type, k.secret, c.value, c.value_id, c.fingerprint, c.new_schema, c.source_env, c.source_revision,
       c.base_version, c.base_definition, b.value AS base_value, b.fingerprint AS base_fingerprint,
       coalesce(a.version, 0) AS live_version, a.value AS live_value, a.fingerprint AS live_fingerprint,
       k.schema AS live_schema, k.definition, k.deleted_at IS NOT NULL AS key_deleted
FROM request_change c
JOIN config_key k ON k.id = c.key_id
JOIN namespace n ON n.id = k.namespace_id
LEFT JOIN config_version a ON a.env_id = %(env_id)s AND a.key_id = c.key_id AND a.is_active
LEFT JOIN config_version b ON b.env_id = %(env_id)s AND b.key_id = c.key_id AND b.version = c.base_version
WHERE c.request_id = %(id)s AND c.edition = %(edition)s
ORDER BY n.name COLLATE "C", k.name COLLATE "C"

-- reviews: all that was said, oldest first
SELECT r.edition, r.decision, r.comment, r.reviewer, r.created_at FROM request_review r WHERE r.request_id = %(id)s ORDER BY r.id

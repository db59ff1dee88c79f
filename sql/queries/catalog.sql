-- environments: all of them, in the order of their making
SELECT name, description, review_required, approvals, revision FROM environment ORDER BY id

-- environment: one by name, with its newest release
SELECT e.id, e.name, e.review_required, e.revision, r.hash
FROM environment e JOIN release r ON r.env_id = e.id AND r.revision = e.revision WHERE e.name = %(name)s

-- create_environment: with its empty beginning; the unique name refuses a second one
SELECT create_environment(%(name)s, %(description)s, %(review_required)s, %(approvals)s::smallint, %(actor)s)

-- update_environment: what is given, the rest stays
UPDATE environment
SET description = coalesce(%(description)s, description), review_required = coalesce(%(review_required)s, review_required),
    approvals = coalesce(%(approvals)s, approvals)
WHERE name = %(name)s
RETURNING name, description, review_required, approvals, revision

-- namespaces: a page of them, newest first
SELECT id, name, description, created_by, created_at FROM namespace
WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s

-- insert_namespace: the unique name refuses a second one
INSERT INTO namespace (name, description, created_by) VALUES (%(name)s, %(description)s, %(actor)s)
RETURNING id, name, description, created_by, created_at

-- keys: a page of a namespace's keys, newest first
SELECT k.id, k.name, k.type, k.description, k.secret, k.schema, k.created_by, k.created_at
FROM config_key k JOIN namespace n ON n.id = k.namespace_id
WHERE n.name = %(namespace)s AND k.deleted_at IS NULL AND k.id < %(before)s
ORDER BY k.id DESC LIMIT %(limit)s

-- declared: every declared key of a namespace, by name
SELECT k.name, k.type, k.secret, k.description FROM config_key k
WHERE k.namespace_id = %(namespace_id)s AND k.deleted_at IS NULL ORDER BY k.name COLLATE "C"

-- namespace_exists: tells an empty namespace from none
SELECT EXISTS (SELECT FROM namespace WHERE name = %(namespace)s)

-- key: one key by name
SELECT k.id, k.name, k.type, k.description, k.secret, k.schema, k.created_by, k.created_at
FROM config_key k JOIN namespace n ON n.id = k.namespace_id
WHERE n.name = %(namespace)s AND k.name = %(key)s AND k.deleted_at IS NULL

-- resolve_keys: the environment, the namespaces and the keys that a write names, in the order named; one round trip before the commit
SELECT e.id AS env_id, e.review_required, n.id AS namespace_id, k.id AS key_id, k.type, k.secret, k.schema, k.definition
FROM unnest(%(namespaces)s::text[], %(keys)s::text[]) WITH ORDINALITY AS w (namespace, key, position)
LEFT JOIN environment e ON e.name = %(env)s
LEFT JOIN namespace n ON n.name = w.namespace
LEFT JOIN config_key k ON k.namespace_id = n.id AND k.name = w.key AND k.deleted_at IS NULL
ORDER BY w.position

-- insert_keys: declares keys of a namespace; those whose names are taken are not returned. In the order of their names,
-- so that two who declare the same ones wait for each other, and never for good
INSERT INTO config_key (namespace_id, name, type, description, secret, schema, created_by)
SELECT n.id, k.name, k.type, k.description, k.secret, k.schema, %(actor)s
FROM namespace n, unnest(
    %(names)s::text[], %(types)s::text[], %(descriptions)s::text[], %(secrets)s::boolean[], %(schemas)s::text[]
) AS k (name, type, description, secret, schema)
WHERE n.name = %(namespace)s
ORDER BY k.name
ON CONFLICT (namespace_id, name) WHERE deleted_at IS NULL DO NOTHING
RETURNING id, name, type, description, secret, schema, created_by, created_at

-- count_keys: lets Postgres plan for as many keys as there are
SELECT count_keys()

-- change_key: a key's description and schema
UPDATE config_key SET description = %(description)s, schema = %(schema)s,
    definition = definition + (schema IS DISTINCT FROM %(schema)s)::integer
WHERE id = %(key_id)s
RETURNING id, name, type, description, secret, schema, created_by, created_at

-- lock_environments: in one order, so that two who lock all of them wait for each other, and never for good
SELECT FROM environment ORDER BY id FOR NO KEY UPDATE

-- set_secret: whether a key's values are kept as secrets from now on
UPDATE config_key SET secret = %(secret)s, definition = definition + (secret <> %(secret)s)::integer WHERE id = %(key_id)s
RETURNING id, name, type, description, secret, schema, created_by, created_at

-- lock_key: before it is changed or deleted; waits for commits that use it, and makes later ones wait
SELECT k.id, k.type, k.description, k.secret, k.schema, k.definition FROM config_key k JOIN namespace n ON n.id = k.namespace_id
WHERE n.name = %(namespace)s AND k.name = %(key)s AND k.deleted_at IS NULL FOR UPDATE OF k

-- lock_keys: as lock_key, all that a request names, in the order in which commits lock them
SELECT FROM unnest(%(namespaces)s::text[], %(keys)s::text[]) AS w (namespace, key)
JOIN namespace n ON n.name = w.namespace
JOIN config_key k ON k.namespace_id = n.id AND k.name = w.key AND k.deleted_at IS NULL
ORDER BY k.id FOR UPDATE OF k

-- values_of_key: where the key has a value, and which
SELECT e.name AS env, e.review_required, v.value, v.value_id, v.fingerprint
FROM config_version v JOIN environment e ON e.id = v.env_id
WHERE v.key_id = %(key_id)s AND v.is_active AND NOT v.deleted ORDER BY e.id

-- delete_key: history keeps the row
UPDATE config_key SET deleted_at = clock_timestamp() WHERE id = %(key_id)s

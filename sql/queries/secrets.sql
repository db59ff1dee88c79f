-- present_keys: the data keys that encrypt, or make fingerprints, in some scopes of an environment now
SELECT d.id, n.name AS namespace, d.namespace_id, e.name AS env, d.purpose, d.kek_id, d.wrapped
FROM data_key d JOIN namespace n ON n.id = d.namespace_id JOIN environment e ON e.id = d.env_id
WHERE d.env_id = %(env_id)s AND d.namespace_id = ANY (%(namespace_ids)s) AND d.retired_at IS NULL

-- add_key: a scope's first one
SELECT add_data_key(%(id)s, %(namespace_id)s, %(env_id)s::smallint, %(purpose)s, %(kek_id)s, %(wrapped)s)

-- sealed: the ciphertexts of some values, each with its data key; one statement, so that they fit
SELECT s.value_id, s.nonce, s.ciphertext, d.id, n.name AS namespace, e.name AS env, d.purpose, d.kek_id, d.wrapped
FROM secret_value s
JOIN data_key d ON d.id = s.data_key_id
JOIN namespace n ON n.id = d.namespace_id
JOIN environment e ON e.id = d.env_id
WHERE s.value_id = ANY (%(value_ids)s)

-- keep: what a proposal seals
SELECT keep_secret_values(%(value_ids)s::uuid[], %(key_ids)s::bigint[], %(data_key_ids)s::uuid[], %(nonces)s::bytea[], %(ciphertexts)s::bytea[])

-- all_keys: every data key that is in use: with what is under it, or for what comes
SELECT d.id, n.name AS namespace, e.name AS env, d.purpose, d.kek_id, d.wrapped, d.retired_at IS NOT NULL AS retired, d.created_at,
       (SELECT count(*) FROM secret_value s WHERE s.data_key_id = d.id) AS secrets
FROM data_key d JOIN namespace n ON n.id = d.namespace_id JOIN environment e ON e.id = d.env_id
WHERE (d.retired_at IS NULL OR EXISTS (SELECT FROM secret_value s WHERE s.data_key_id = d.id))
  AND (%(namespace)s::text IS NULL OR n.name = %(namespace)s::text) AND (%(env)s::text IS NULL OR e.name = %(env)s::text)
ORDER BY n.name COLLATE "C", e.id, d.purpose, d.created_at

-- every_key: the retired and empty ones, too: a wrapped key that is left behind would be lost with the key that wraps it
SELECT d.id, n.name AS namespace, e.name AS env, d.purpose, d.kek_id, d.wrapped
FROM data_key d JOIN namespace n ON n.id = d.namespace_id JOIN environment e ON e.id = d.env_id
WHERE d.kek_id <> %(kek_id)s
ORDER BY d.created_at

-- replace_key: false where somebody else has replaced the old one
SELECT replace_data_key(%(old)s, %(id)s, %(kek_id)s, %(wrapped)s) AS done

-- rewrap_key: false where somebody else has rewrapped it
SELECT rewrap_data_key(%(id)s, %(old_kek_id)s, %(kek_id)s, %(wrapped)s) AS done

-- under_key: a batch of what is under a data key, in order, with the place that each value was sealed for
SELECT s.value_id, k.name AS key, s.nonce, s.ciphertext
FROM secret_value s JOIN config_key k ON k.id = s.key_id
WHERE s.data_key_id = %(data_key_id)s AND s.value_id > %(after)s ORDER BY s.value_id LIMIT %(limit)s

-- rewrite: a batch under another data key; what is no longer under the old one stays
SELECT rewrite_secret_values(%(old)s, %(new)s, %(value_ids)s::uuid[], %(nonces)s::bytea[], %(ciphertexts)s::bytea[]) AS rewritten

-- commit_release: the write; everything that depends on the present is decided inside, after the lock
SELECT revision, hash, changed_key_ids, changed_versions, replayed FROM commit_release(
    %(env_id)s::smallint, %(kind)s, %(note)s, %(actor)s, %(key_ids)s::bigint[], %(definitions)s::integer[], %(values)s::text[],
    %(if_key_version)s::integer, %(if_scope)s::integer, %(if_cursor)s, %(base)s::bigint, %(base_namespaces)s::integer[],
    %(change_request)s::bigint, %(edition)s::integer, %(break_glass)s, %(preview)s,
    %(idempotency_key)s, %(request)s, %(body_hash)s::bytea, %(request_id)s, %(address)s,
    %(value_ids)s::uuid[], %(fingerprints)s::text[], %(data_key_ids)s::uuid[], %(nonces)s::bytea[], %(ciphertexts)s::bytea[])

-- changes_of: the changes of one release, for an answer that is given a second time
SELECT n.name AS namespace, k.name, k.type, v.version, v.value, v.value_id, v.fingerprint
FROM config_version v JOIN config_key k ON k.id = v.key_id JOIN namespace n ON n.id = v.namespace_id
WHERE v.env_id = %(env_id)s AND v.revision = %(revision)s
ORDER BY n.name COLLATE "C", k.name COLLATE "C"

-- revisions: the newest revision of every environment, and which history that is of; the hub asks every second, whatever NOTIFY says
SELECT e.name, e.revision, r.hash FROM environment e JOIN release r ON r.env_id = e.id AND r.revision = e.revision

-- seen: what a repeated request was answered, before anything is planned for it; the commit looks again under the lock
SELECT i.body_hash, i.env_id, i.revision, i.changed, r.hash
FROM idempotency i JOIN release r ON r.env_id = i.env_id AND r.revision = i.revision
WHERE i.caller = %(caller)s AND i.key = %(key)s AND i.request = %(request)s
  AND i.created_at > clock_timestamp() - interval '24 hours'

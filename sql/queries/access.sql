-- token_by_id: a live token with its grants, to authenticate one request
SELECT t.id, t.name, t.secret_hash, t.principal, t.expires_at,
       coalesce(t.last_used_at < clock_timestamp() - interval '1 minute', true) AS long_unused,
       coalesce(json_agg(json_build_object('role', g.role, 'namespaces', g.namespaces, 'envs', g.envs))
                FILTER (WHERE g.id IS NOT NULL), '[]') AS grants
FROM token t LEFT JOIN access_grant g ON g.token_id = t.id
WHERE t.id = %(id)s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
GROUP BY t.id

-- mark_used: when a token was last used, to the minute; of many requests that come at once one writes, and nobody waits
UPDATE token SET last_used_at = clock_timestamp() WHERE id = (
    SELECT t.id FROM token t
    WHERE t.id = %(id)s AND coalesce(t.last_used_at < clock_timestamp() - interval '1 minute', true) FOR UPDATE SKIP LOCKED)

-- insert_token: a new token; the unique index refuses a name that a live one has
INSERT INTO token (id, name, secret_hash, principal, created_by, expires_at)
VALUES (%(id)s, %(name)s, %(secret_hash)s, %(principal)s, %(created_by)s, %(expires_at)s)
RETURNING created_at

-- insert_grant: what a token may do, and where; nothing is returned where there is no such live token
INSERT INTO access_grant (token_id, role, namespaces, envs, created_by)
SELECT t.id, %(role)s, %(namespaces)s, %(envs)s, %(created_by)s FROM token t WHERE t.id = %(token_id)s AND t.revoked_at IS NULL
RETURNING id, created_at

-- revoke_token_named: the live token of a name, if there is one
UPDATE token SET revoked_at = clock_timestamp() WHERE name = %(name)s AND revoked_at IS NULL

-- revoke_token: one that is alive
UPDATE token SET revoked_at = clock_timestamp() WHERE id = %(id)s AND revoked_at IS NULL RETURNING name

-- tokens: a page of those that are not revoked, newest first; their ids are random, so the page begins after a moment
SELECT t.id, t.name, t.principal, t.created_by, t.created_at, t.expires_at, t.last_used_at,
       (extract(epoch FROM t.created_at) * 1000000)::bigint AS position,
       coalesce((SELECT json_agg(json_build_object('id', g.id, 'role', g.role, 'namespaces', g.namespaces, 'envs', g.envs) ORDER BY g.id)
                 FROM access_grant g WHERE g.token_id = t.id), '[]') AS grants
FROM token t
WHERE t.revoked_at IS NULL AND (extract(epoch FROM t.created_at) * 1000000)::bigint < %(before)s
ORDER BY t.created_at DESC LIMIT %(limit)s

-- grants: a page of those of living tokens, newest first
SELECT g.id, g.token_id, t.name AS token, g.role, g.namespaces, g.envs, g.created_by, g.created_at
FROM access_grant g JOIN token t ON t.id = g.token_id
WHERE t.revoked_at IS NULL AND g.id < %(before)s AND (%(token_id)s::text IS NULL OR g.token_id = %(token_id)s::text)
ORDER BY g.id DESC LIMIT %(limit)s

-- delete_grant: what a token may do no more
DELETE FROM access_grant g USING token t
WHERE g.id = %(id)s AND t.id = g.token_id
RETURNING g.token_id, t.name AS token, g.role, g.namespaces, g.envs

-- token_by_id: a live token with its grants, to authenticate one request
SELECT t.name, t.secret_hash, t.created_by,
       coalesce(json_agg(json_build_object('role', g.role, 'namespaces', g.namespaces, 'envs', g.envs))
                FILTER (WHERE g.id IS NOT NULL), '[]') AS grants
FROM token t LEFT JOIN access_grant g ON g.token_id = t.id
WHERE t.id = %(id)s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
GROUP BY t.id

-- insert_token: a new token; the unique index refuses a name that a live one has
INSERT INTO token (id, name, secret_hash, created_by, expires_at)
VALUES (%(id)s, %(name)s, %(secret_hash)s, %(created_by)s, %(expires_at)s)

-- insert_grant: what a token may do, and where
INSERT INTO access_grant (token_id, role, namespaces, envs, created_by)
VALUES (%(token_id)s, %(role)s, %(namespaces)s, %(envs)s, %(created_by)s)

-- record_audit_event: one line for the auditor, for what is not a release
SELECT record_audit_event(%(action)s, %(actor)s, %(request_id)s, %(address)s, %(details)s)

-- revoke_token_named: the live token of a name, if there is one
UPDATE token SET revoked_at = clock_timestamp() WHERE name = %(name)s AND revoked_at IS NULL

-- account_by_name: a live account, to sign in with its password
SELECT t.id AS token_id, a.password_hash FROM token t JOIN account a ON a.token_id = t.id
WHERE t.name = %(name)s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())

-- insert_account: for a token that was made in the same transaction
INSERT INTO account (token_id, password_hash) VALUES (%(token_id)s, %(password_hash)s)

-- set_password: of an account
UPDATE account SET password_hash = %(password_hash)s WHERE token_id = %(token_id)s

-- live_token_named: by the name that history shows
SELECT t.id FROM token t
WHERE t.name = %(name)s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())

-- insert_session: a browser that is signed in
INSERT INTO session (id_hash, token_id, expires_at)
VALUES (%(id_hash)s, %(token_id)s, clock_timestamp() + make_interval(secs => %(seconds)s))

-- session: whom a live session acts as; it ends with the token, and with the last of its grants
SELECT t.id, t.name, t.principal, s.expires_at,
       json_agg(json_build_object('role', g.role, 'namespaces', g.namespaces, 'envs', g.envs)) AS grants
FROM session s JOIN token t ON t.id = s.token_id JOIN access_grant g ON g.token_id = t.id
WHERE s.id_hash = %(id_hash)s AND s.expires_at > clock_timestamp()
  AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
GROUP BY t.id, s.id_hash

-- delete_session: one that its owner ends
DELETE FROM session WHERE id_hash = %(id_hash)s

-- delete_sessions_of: all of one token
DELETE FROM session WHERE token_id = %(token_id)s

-- insert_link: a link that signs somebody in, once
INSERT INTO sign_in_link (secret_hash, token_id, expires_at)
VALUES (%(secret_hash)s, %(token_id)s, clock_timestamp() + make_interval(secs => %(seconds)s))

-- link: whom an unused link signs in
SELECT t.id AS token_id, t.name FROM sign_in_link l JOIN token t ON t.id = l.token_id
WHERE l.secret_hash = %(secret_hash)s AND l.expires_at > clock_timestamp()
  AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())

-- use_link: whoever deletes the row has used it; nobody else can
DELETE FROM sign_in_link WHERE secret_hash = %(secret_hash)s AND expires_at > clock_timestamp() RETURNING token_id

-- delete_links_of: those of one token that nobody has used
DELETE FROM sign_in_link WHERE token_id = %(token_id)s

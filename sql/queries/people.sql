-- lock: two browsers of somebody who comes for the first time make one account
SELECT pg_advisory_xact_lock(hashtextextended(%(issuer)s || '#' || %(subject)s, 0))

-- person: by what never changes
SELECT t.id AS token_id, t.name, t.revoked_at IS NOT NULL AS revoked FROM person p JOIN token t ON t.id = p.token_id
WHERE p.issuer = %(issuer)s AND p.subject = %(subject)s

-- insert: somebody whom the provider vouched for, for the first time
INSERT INTO person (issuer, subject, token_id) VALUES (%(issuer)s, %(subject)s, %(token_id)s)

-- grants: those of one token
SELECT g.id, g.role, g.namespaces, g.envs FROM access_grant g WHERE g.token_id = %(token_id)s

-- forget_revoked: so that the next sign-in makes another account
DELETE FROM person p USING token t WHERE t.id = p.token_id AND t.name = %(name)s AND t.revoked_at IS NOT NULL

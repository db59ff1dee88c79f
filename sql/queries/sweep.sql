-- pages: how long the tables are that are swept
SELECT t.name AS table, (pg_relation_size(t.name::regclass) / current_setting('block_size')::integer)::integer AS pages
FROM unnest(%(tables)s::text[]) AS t (name)

-- idempotency: forget answers that no repeated request gets any more, in some of the table's pages: needs no index, and is as quick in
--   a large table
DELETE FROM idempotency
WHERE ctid >= %(begin)s::tid AND ctid < %(end)s::tid AND created_at < clock_timestamp() - interval '24 hours'

-- outbox: forget releases that were published long ago; nothing reads them, but who looks into a fault wants to see the last ones
DELETE FROM outbox
WHERE ctid >= %(begin)s::tid AND ctid < %(end)s::tid AND published_at < clock_timestamp() - interval '24 hours'

-- session: forget those whose time is over, and with each its drafts; those of a token that was revoked are gone with it
DELETE FROM session WHERE ctid >= %(begin)s::tid AND ctid < %(end)s::tid AND expires_at < clock_timestamp()

-- sign_in_link: forget those that nobody has used in time
DELETE FROM sign_in_link WHERE ctid >= %(begin)s::tid AND ctid < %(end)s::tid AND expires_at < clock_timestamp()

-- secret_value: forget what drafts held that were thrown away, or ended with their session
SELECT forget_secret_values(%(begin)s::tid, %(end)s::tid)

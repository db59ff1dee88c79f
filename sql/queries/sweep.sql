-- pages: how long the tables are that are swept
SELECT (pg_relation_size('idempotency') / current_setting('block_size')::integer)::integer AS idempotency,
       (pg_relation_size('outbox') / current_setting('block_size')::integer)::integer AS outbox

-- idempotency: forget answers that no repeated request gets any more, in some of the table's pages: needs no index, and is as quick in
--   a large table
DELETE FROM idempotency
WHERE ctid >= %(begin)s::tid AND ctid < %(end)s::tid AND created_at < clock_timestamp() - interval '24 hours'

-- outbox: forget releases that were published long ago; nothing reads them, but who looks into a fault wants to see the last ones
DELETE FROM outbox
WHERE ctid >= %(begin)s::tid AND ctid < %(end)s::tid AND published_at < clock_timestamp() - interval '24 hours'

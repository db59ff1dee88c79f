-- schema: the names of the migrations that were applied
SELECT name FROM schema_migration

-- relay: whether one leads, and for how many seconds the oldest release of any environment has waited to be published
SELECT l.expires_at > clock_timestamp() AS leads,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(o.created_at)), 0)::float8
        FROM environment e CROSS JOIN LATERAL (
            SELECT w.created_at FROM outbox w WHERE w.env_id = e.id AND w.published_at IS NULL ORDER BY w.revision LIMIT 1) AS o)
           AS waits_s
FROM relay_lease l

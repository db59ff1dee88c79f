-- environments: how far each is, what waits to be published and for how long, and which requests wait for somebody
SELECT e.name AS env, e.revision, o.unpublished, o.oldest_s,
       (SELECT count(*) FROM change_request q WHERE q.env_id = e.id AND q.status IN ('open', 'approved')) AS requests
FROM environment e CROSS JOIN LATERAL (
    SELECT count(*) AS unpublished, coalesce(extract(epoch FROM clock_timestamp() - min(o.created_at)), 0)::float8 AS oldest_s
    FROM outbox o WHERE o.env_id = e.id AND o.published_at IS NULL) AS o
ORDER BY e.id

-- watchers: the live clients of each environment by how they hear of changes, and how many of them refuse what they hear
SELECT e.name AS env, w.transport, count(*) AS live, count(w.rejected) AS rejecting
FROM watcher w JOIN environment e ON e.id = w.env_id
WHERE w.live GROUP BY e.name, w.transport ORDER BY e.name, w.transport

-- relay: whether one leads
SELECT l.expires_at > clock_timestamp() AS leads FROM relay_lease l

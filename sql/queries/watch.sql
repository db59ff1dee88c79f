-- report: what many clients said since the last report; one statement for all of them, and with none it keeps the watch clock going
SELECT report_clients(%(reports)s::json, %(live_s)s)

-- measure: what of the last releases has arrived without a report, because those that lagged are lost
SELECT measure_convergence(e.id, 0, e.revision) FROM environment e

-- forget: clients that nobody needs to be told of any more; the view's bound, and as long for those that took their leave
DELETE FROM config_watch WHERE greatest(live_until, last_seen) < (SELECT t.now FROM watch_time t) - interval '10 minutes'

-- affected: how many live clients follow one of some namespaces, and of which services
SELECT count(*) AS count, coalesce(array_agg(DISTINCT w.service ORDER BY w.service), '{}') AS services
FROM watcher w JOIN environment e ON e.id = w.env_id
WHERE e.name = %(env)s AND w.namespaces && %(namespaces)s::text[] AND w.live

-- live: the clients of an environment that are alive, by service, host and pid
SELECT w.client_id, w.service, w.host, w.pid, w.namespaces, w.revision, w.transport, w.sdk, w.rejected, w.last_seen
FROM watcher w JOIN environment e ON e.id = w.env_id
WHERE e.name = %(env)s AND (%(namespace)s::text IS NULL OR w.namespaces @> ARRAY[%(namespace)s::text]) AND w.live
ORDER BY w.service, w.host, w.pid, w.client_id

-- followers: the clients that follow one of some namespaces, alive or lost, by service, host and pid
SELECT w.client_id, w.service, w.host, w.pid, w.revision, w.rejected, w.last_seen, w.live
FROM watcher w
WHERE w.env_id = %(env_id)s AND w.namespaces && %(namespaces)s::text[]
ORDER BY w.service, w.host, w.pid, w.client_id

-- progress: whether every client is known, and the times of one release
SELECT coalesce((SELECT t.complete_from <= t.now FROM watch_time t), false) AS complete, t.p50_s, t.p99_s, t.all_s
FROM (VALUES (1)) AS one (row) LEFT JOIN release_convergence t ON t.env_id = %(env_id)s AND t.revision = %(revision)s

-- converged: which of some releases all their watchers show, by their number in the list; nobody is not all
SELECT a.number - 1 AS index
FROM unnest(%(env_ids)s::smallint[], %(revisions)s::bigint[], %(namespaces)s::text[]) WITH ORDINALITY AS a (env_id, revision, namespaces, number)
WHERE (SELECT bool_and(w.revision >= a.revision) FROM watcher w
       WHERE w.env_id = a.env_id AND w.namespaces && string_to_array(a.namespaces, ',') AND w.live)
  AND (SELECT t.complete_from <= t.now FROM watch_time t)

-- record_audit_event: one line for the auditor, for what is not a release
SELECT record_audit_event(
    %(env)s, %(in_order)s, %(namespaces)s::text[], %(action)s, %(actor)s, %(request_id)s, %(address)s, %(details)s)

-- record_audit_events: several of one kind
SELECT record_audit_event(
    %(env)s, %(in_order)s, %(namespaces)s::text[], %(action)s, %(actor)s, %(request_id)s, %(address)s, e.details)
FROM unnest(%(details)s::jsonb[]) WITH ORDINALITY AS e (details, position)
ORDER BY e.position

-- events: a page of what happened, newest first. A key is named by the event itself, or by the release that it is about
SELECT a.id, e.name AS env, a.revision, a.action, a.actor, a.request_id, a.address, a.namespaces, a.details, a.created_at
FROM audit_event a LEFT JOIN environment e ON e.id = a.env_id
WHERE a.id < %(before)s
  AND (%(env)s::text IS NULL OR e.name = %(env)s::text)
  AND (%(namespace)s::text IS NULL OR a.namespaces @> ARRAY[%(namespace)s::text])
  AND (%(actor)s::text IS NULL OR a.actor = %(actor)s::text)
  AND (%(action)s::text IS NULL OR a.action = %(action)s::text OR starts_with(a.action, %(action)s::text || '.'))
  AND (%(since)s::timestamptz IS NULL OR a.created_at >= %(since)s::timestamptz)
  AND (%(until)s::timestamptz IS NULL OR a.created_at < %(until)s::timestamptz)
  AND (%(key)s::text IS NULL OR a.details ->> 'key' = %(key)s::text OR a.details -> 'keys' @> to_jsonb(%(key)s::text) OR EXISTS (
      SELECT FROM config_version v JOIN config_key k ON k.id = v.key_id JOIN namespace n ON n.id = v.namespace_id
      WHERE v.env_id = a.env_id AND v.revision = a.revision AND k.name = %(key)s::text
        AND (%(namespace)s::text IS NULL OR n.name = %(namespace)s::text)))
ORDER BY a.id DESC LIMIT %(limit)s

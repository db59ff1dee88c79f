-- A commit in fewer and cheaper steps; what it does stays the same. Goes beside running workers.

-- What a release's hash covers, as text. `p_changes` holds [namespace, key, type, version, value text or null] in the order of namespace
-- and key, and for a secret, whose value text is null, also its value_id and fingerprint; `p_review` is there only where a release has
-- one. Being JSON, it has no two readings. `configsvc audit verify` computes it by other means. STABLE as what it calls, or it would not be
-- inlined, and planned anew for each release. So is audit_content.
CREATE OR REPLACE FUNCTION release_content(
    p_env text, p_revision bigint, p_kind text, p_note text, p_created_by text, p_created_at timestamptz, p_changes json, p_review jsonb
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT (CASE WHEN p_review IS NULL THEN json_build_array(
        'configsvc/release/v1', p_env, p_revision, p_kind, p_note, p_created_by,
        trunc(extract(epoch FROM p_created_at) * 1000000)::bigint, p_changes)
    ELSE json_build_array(
        'configsvc/release/v1', p_env, p_revision, p_kind, p_note, p_created_by,
        trunc(extract(epoch FROM p_created_at) * 1000000)::bigint, p_changes, p_review) END)::text
$$;

-- What an audit event's hash covers, as text. `p_chain` is the environment's name, '' for the chain of all else.
CREATE OR REPLACE FUNCTION audit_content(
    p_chain text, p_env text, p_revision bigint, p_action text, p_actor text, p_request_id text, p_address text, p_namespaces text[],
    p_details jsonb, p_created_at timestamptz
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_array(
        'configsvc/audit/v1', p_chain, p_env, p_revision, p_action, p_actor, p_request_id, p_address, p_namespaces, p_details,
        trunc(extract(epoch FROM p_created_at) * 1000000)::bigint)::text
$$;

-- Appends one event to a chain whose lock the caller holds: an environment's row, or for chain 0 the advisory lock of record_audit_event.
-- Called by functions alone that set the search path.
CREATE OR REPLACE FUNCTION append_audit_event(
    p_chain smallint, p_env_id smallint, p_env text, p_revision bigint, p_action text, p_actor text, p_request_id text, p_address text,
    p_namespaces text[], p_details jsonb, p_created_at timestamptz
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO audit_event
        (chain, env_id, revision, action, actor, request_id, address, namespaces, details, created_at, hash)
    VALUES (p_chain, p_env_id, p_revision, p_action, p_actor, p_request_id, p_address, p_namespaces, p_details, p_created_at,
            sha256(coalesce((SELECT a.hash FROM audit_event a WHERE a.chain = p_chain ORDER BY a.id DESC LIMIT 1), '')
                || convert_to(audit_content(
                    CASE WHEN p_chain = 0 THEN '' ELSE p_env END, p_env, p_revision, p_action, p_actor, p_request_id, p_address,
                    p_namespaces, p_details, p_created_at), 'UTF8')));
END $$;

-- The last version that a name has had in an environment. One that was deleted and declared again goes on counting: "v3" is an ETag, and
-- must never mean two things.
CREATE FUNCTION last_version(p_env_id smallint, p_namespace_id integer, p_key text) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(l.version), 0)
    FROM config_key k CROSS JOIN LATERAL (
        SELECT v.version FROM config_version v WHERE v.env_id = p_env_id AND v.key_id = k.id ORDER BY v.version DESC LIMIT 1) AS l
    WHERE k.namespace_id = p_namespace_id AND k.name = p_key
$$;

-- What a secret takes of a scope's bytes; NULL for none.
CREATE FUNCTION sealed_bytes(p_value_id uuid) RETURNS integer LANGUAGE sql STABLE STRICT AS $$
    SELECT octet_length(s.ciphertext) FROM secret_value s WHERE s.value_id = p_value_id
$$;

-- Commits one release: all of its changes or none, in the environment's order.
--
-- The first statement takes the environment's row lock. Under READ COMMITTED every later statement then sees all that was committed
-- before the lock was granted; that is why this is a VOLATILE function of several statements and not one big one (docs/decisions.md).
-- Errors: CSENV no such environment · CSKEY a key was deleted or defined anew meanwhile · CSIDM Idempotency-Key used with another body ·
-- CSIFM If-Match does not hold · CSSTL the plan's base moved · CSREV the environment is protected · CSREQ the request is not to be applied
-- as it stands; and the scope's limits.
CREATE OR REPLACE FUNCTION commit_release(
    p_env_id smallint,
    p_kind text,
    p_note text,
    p_actor text,
    p_key_ids bigint[],      -- each key once
    p_definitions integer[], -- what the values were checked by: each key's definition
    p_values text[],         -- canonical JSON text; NULL deletes, or is a secret
    p_if_key_version integer,     -- If-Match of one key: the active version of p_key_ids[1], 0 for unset
    p_if_scope integer,           -- If-Match of a scope: this namespace's last release …
    p_if_cursor text,             -- … is the one with this cursor
    p_base bigint,                -- a plan's base: no release after it touched …
    p_base_namespaces integer[],  -- … one of these namespaces
    -- By what leave a protected environment is written: an approved request in this edition, or a reason to do without; a preview
    -- needs none, because its caller takes it back.
    p_change_request bigint,
    p_edition integer,
    p_break_glass text,
    p_preview boolean,
    p_idempotency_key text,
    p_request text,
    p_body_hash bytea,
    p_request_id text,
    p_address text,
    -- Secrets, each beside its key; NULL without any. Without a ciphertext it points to a value that is there already.
    p_value_ids uuid[],
    p_fingerprints text[],
    p_data_key_ids uuid[],
    p_nonces bytea[],
    p_ciphertexts bytea[],
    OUT revision bigint,
    OUT hash bytea,
    OUT changed_key_ids bigint[],
    OUT changed_versions integer[],
    OUT replayed boolean
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    v_env text;
    v_protected boolean;
    v_approvals smallint;
    v_request record;
    v_review jsonb;
    v_void record;
    v_seen record;
    v_last_revision bigint;
    v_last_hash bytea;
    v_now timestamptz;
    v_pending boolean; -- whether there are requests that may become void
    v_all_stand boolean; -- whether the keys that change are as the values were checked by
    -- What changes: one element for each key, in the order of the hashed content.
    v_namespaces text[];
    v_namespace_ids integer[];
    v_values text[];
    v_value_ids uuid[];
    v_fingerprints text[];
    v_keys_added integer[];
    v_bytes_added integer[];
    v_active tid[]; -- where its version is that was active, and stays under the environment's lock
    v_changes json[];
BEGIN
    UPDATE environment e SET revision = e.revision + 1 WHERE e.id = p_env_id
    RETURNING e.revision, e.name, e.review_required, e.approvals INTO revision, v_env, v_protected, v_approvals;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such environment' USING ERRCODE = 'CSENV';
    END IF;
    SELECT r.revision, r.hash, greatest(clock_timestamp(), r.created_at + interval '1 microsecond'), false,
           EXISTS (SELECT FROM change_request q WHERE q.env_id = p_env_id AND q.status IN ('open', 'approved'))
    INTO v_last_revision, v_last_hash, v_now, replayed, v_pending
    FROM release r WHERE r.env_id = p_env_id ORDER BY r.revision DESC LIMIT 1;

    IF p_idempotency_key IS NOT NULL THEN
        SELECT i.* INTO v_seen FROM idempotency i
        WHERE i.caller = p_actor AND i.key = p_idempotency_key AND i.request = p_request AND i.created_at > v_now - interval '24 hours';
        IF FOUND THEN
            IF v_seen.body_hash <> p_body_hash THEN
                RAISE EXCEPTION 'Idempotency-Key was used with another body' USING ERRCODE = 'CSIDM';
            END IF;
            UPDATE environment e SET revision = e.revision - 1 WHERE e.id = p_env_id;
            revision := v_seen.revision;
            replayed := true;
            SELECT r.hash INTO hash FROM release r WHERE r.env_id = p_env_id AND r.revision = revision;
            SELECT coalesce(array_agg(v.key_id), '{}'), coalesce(array_agg(v.version), '{}') INTO changed_key_ids, changed_versions
            FROM config_version v WHERE v_seen.changed AND v.env_id = p_env_id AND v.revision = revision;
            RETURN;
        END IF;
    END IF;

    IF v_protected OR p_change_request IS NOT NULL THEN
        IF p_change_request IS NOT NULL THEN
            SELECT q.status, q.author, q.edition, approved_by(q.id, q.edition, q.principal) AS approved_by INTO v_request
            FROM change_request q WHERE q.id = p_change_request AND q.env_id = p_env_id;
            IF v_request.status IS DISTINCT FROM 'approved' OR v_request.edition IS DISTINCT FROM p_edition THEN
                RAISE EXCEPTION 'the request is not approved as it stands' USING ERRCODE = 'CSREQ';
            ELSIF cardinality(v_request.approved_by) < v_approvals THEN
                RAISE EXCEPTION 'the request has % of % approvals', cardinality(v_request.approved_by), v_approvals
                    USING ERRCODE = 'CSREQ';
            ELSIF EXISTS (
                SELECT FROM (
                    SELECT q.key_id, q.value, q.value_id FROM request_change q
                    WHERE q.request_id = p_change_request AND q.edition = p_edition AND q.new_schema IS NULL) AS c
                FULL JOIN unnest(p_key_ids, p_values, p_value_ids) AS w (key_id, value, value_id) ON w.key_id = c.key_id
                WHERE (c.key_id, c.value, c.value_id) IS DISTINCT FROM (w.key_id, w.value, w.value_id)) THEN
                RAISE EXCEPTION 'what would be written is not what the request proposes' USING ERRCODE = 'CSREQ';
            END IF;
            v_review := jsonb_build_object(
                'request', p_change_request, 'author', v_request.author, 'approved_by', v_request.approved_by);
        ELSIF p_break_glass IS NOT NULL THEN
            v_review := jsonb_build_object('break_glass', p_break_glass);
        ELSIF NOT p_preview THEN
            RAISE EXCEPTION '% is protected', v_env USING ERRCODE = 'CSREV', DETAIL = v_env;
        END IF;
    END IF;

    IF p_if_scope IS NOT NULL OR p_if_key_version IS NOT NULL OR p_base IS NOT NULL THEN
        IF p_if_scope IS NOT NULL AND NOT EXISTS (
            SELECT FROM release r LEFT JOIN scope s ON s.env_id = p_env_id AND s.namespace_id = p_if_scope
            WHERE r.env_id = p_env_id AND r.revision = coalesce(s.revision, 0)
              AND r.revision || '.' || left(encode(r.hash, 'hex'), 16) = p_if_cursor) THEN
            RAISE EXCEPTION 'the scope has changed' USING ERRCODE = 'CSIFM';
        END IF;
        IF p_if_key_version IS NOT NULL AND p_if_key_version <> coalesce((
            SELECT CASE WHEN v.deleted THEN 0 ELSE v.version END FROM config_version v
            WHERE v.env_id = p_env_id AND v.key_id = p_key_ids[1] AND v.is_active), 0) THEN
            RAISE EXCEPTION 'the key has changed' USING ERRCODE = 'CSIFM';
        END IF;
        IF p_base IS NOT NULL AND EXISTS (
            SELECT FROM scope s WHERE s.env_id = p_env_id AND s.namespace_id = ANY (p_base_namespaces) AND s.revision > p_base) THEN
            RAISE EXCEPTION 'the base of the plan has moved' USING ERRCODE = 'CSSTL';
        END IF;
    END IF;

    -- A key is replaced under this lock, so what is sealed under the present one is never overlooked when that one's values are rewritten.
    IF p_data_key_ids IS NOT NULL THEN
        IF EXISTS (SELECT FROM data_key d WHERE d.id = ANY (p_data_key_ids) AND d.retired_at IS NOT NULL) THEN
            RAISE EXCEPTION 'a data key was replaced' USING ERRCODE = 'CSSTL';
        END IF;
    END IF;

    -- The share lock keeps the keys as they are: who deletes one or defines it anew locks it FOR UPDATE. LATERAL, so that all is looked up
    -- for one key at a time, and the newest version first, so that it is by the primary key: a plan from the tables' youth would read all
    -- keys and all versions of the environment for each.
    SELECT bool_and(c.stands), array_agg(c.id), array_agg(c.version), array_agg(c.namespace), array_agg(c.namespace_id),
           array_agg(c.value), array_agg(c.value_id), array_agg(c.fingerprint), array_agg(c.keys_added), array_agg(c.bytes_added),
           array_agg(c.active),
           array_agg(CASE WHEN c.value_id IS NULL
               THEN json_build_array(c.namespace, c.name, c.type, c.version, c.value)
               ELSE json_build_array(c.namespace, c.name, c.type, c.version, c.value, c.value_id, c.fingerprint) END)
    INTO v_all_stand, changed_key_ids, changed_versions, v_namespaces, v_namespace_ids, v_values, v_value_ids, v_fingerprints,
         v_keys_added, v_bytes_added, v_active, v_changes
    FROM (
        SELECT k.id, k.name, k.type, k.namespace_id, n.name AS namespace, w.value, w.value_id, w.fingerprint, a.ctid AS active,
               k.id IS NOT NULL AND k.definition = w.definition AND k.deleted_at IS NULL AS stands,
               -- A secret always makes a version: "nothing changed" would tell a guesser that the guess was right.
               w.value_id IS NOT NULL OR a.value_id IS NOT NULL OR w.value IS DISTINCT FROM a.value AS changed,
               coalesce(a.version, last_version(p_env_id, k.namespace_id, k.name)) + 1 AS version,
               num_nonnulls(w.value, w.value_id) - num_nonnulls(a.value, a.value_id) AS keys_added,
               coalesce(octet_length(k.name) + coalesce(octet_length(w.value), octet_length(w.ciphertext), sealed_bytes(w.value_id)), 0)
                   - coalesce(octet_length(k.name) + coalesce(octet_length(a.value), sealed_bytes(a.value_id)), 0) AS bytes_added
        FROM (
            SELECT u.* FROM unnest(p_key_ids, p_definitions, p_values, p_value_ids, p_fingerprints, p_ciphertexts)
                AS u (key_id, definition, value, value_id, fingerprint, ciphertext)
            ORDER BY u.key_id) AS w -- as all lock keys who lock several
        LEFT JOIN LATERAL (
            SELECT c.id, c.name, c.type, c.namespace_id, c.definition, c.deleted_at FROM config_key c
            WHERE c.id = w.key_id FOR KEY SHARE) AS k ON true
        LEFT JOIN LATERAL (SELECT s.name FROM namespace s WHERE s.id = k.namespace_id LIMIT 1) AS n ON true
        LEFT JOIN LATERAL (
            SELECT v.version, v.value, v.value_id, v.ctid FROM config_version v
            WHERE v.env_id = p_env_id AND v.key_id = w.key_id AND v.is_active ORDER BY v.version DESC LIMIT 1) AS a ON true
        ORDER BY n.name COLLATE "C", k.name COLLATE "C") AS c -- as in the hashed content
    WHERE c.changed OR NOT c.stands;
    IF NOT v_all_stand THEN
        RAISE EXCEPTION 'a key was deleted or defined anew meanwhile' USING ERRCODE = 'CSKEY';
    END IF;

    IF changed_key_ids IS NULL THEN
        UPDATE environment e SET revision = e.revision - 1 WHERE e.id = p_env_id;
        revision := v_last_revision;
        hash := v_last_hash;
        changed_key_ids := '{}';
        changed_versions := '{}';
    ELSE
        UPDATE config_version v SET is_active = false WHERE v.ctid = ANY (v_active);
        IF p_ciphertexts IS NOT NULL THEN
            INSERT INTO secret_value (value_id, key_id, data_key_id, nonce, ciphertext, created_at)
            SELECT w.value_id, w.key_id, w.data_key_id, w.nonce, w.ciphertext, v_now
            FROM unnest(p_key_ids, p_value_ids, p_data_key_ids, p_nonces, p_ciphertexts)
                AS w (key_id, value_id, data_key_id, nonce, ciphertext)
            WHERE w.ciphertext IS NOT NULL;
        END IF;
        INSERT INTO config_version
            (env_id, namespace_id, key_id, version, revision, value, deleted, is_active, created_by, created_at, value_id, fingerprint)
        SELECT p_env_id, c.namespace_id, c.key_id, c.version, revision, c.value, num_nonnulls(c.value, c.value_id) = 0, true, p_actor,
               v_now, c.value_id, c.fingerprint
        FROM unnest(v_namespace_ids, changed_key_ids, changed_versions, v_values, v_value_ids, v_fingerprints)
            AS c (namespace_id, key_id, version, value, value_id, fingerprint);
        IF v_namespaces[1] = v_namespaces[cardinality(v_namespaces)] THEN
            v_namespaces := v_namespaces[:1];
        ELSE
            v_namespaces := ARRAY(SELECT DISTINCT c.name COLLATE "C" FROM unnest(v_namespaces) AS c (name) ORDER BY 1);
        END IF;
        INSERT INTO scope AS s (env_id, namespace_id, revision, keys, bytes)
        SELECT p_env_id, c.namespace_id, revision, sum(c.keys_added), sum(c.bytes_added)
        FROM unnest(v_namespace_ids, v_keys_added, v_bytes_added) AS c (namespace_id, keys_added, bytes_added)
        GROUP BY c.namespace_id
        ON CONFLICT (env_id, namespace_id)
        DO UPDATE SET revision = EXCLUDED.revision, keys = s.keys + EXCLUDED.keys, bytes = s.bytes + EXCLUDED.bytes;

        hash := sha256(v_last_hash || convert_to(release_content(
            v_env, revision, p_kind, p_note, p_actor, v_now, to_json(v_changes), v_review), 'UTF8'));
        INSERT INTO release (env_id, revision, hash, kind, note, namespaces, created_by, created_at, review)
        VALUES (p_env_id, revision, hash, p_kind, p_note, v_namespaces, p_actor, v_now, v_review);
        PERFORM append_audit_event(
            p_env_id, p_env_id, v_env, revision, 'release.' || p_kind, p_actor, p_request_id, p_address, v_namespaces,
            jsonb_build_object('changes', cardinality(changed_key_ids), 'hash', encode(hash, 'hex'))
                || coalesce(v_review, '{}'), v_now);
        INSERT INTO outbox (env_id, revision, watch_time) VALUES (p_env_id, revision, (SELECT t.now FROM watch_time t));
        -- A hint, never data: a payload over 8,000 bytes would abort the write.
        PERFORM pg_notify('configsvc', v_env || ':' || revision);

        -- What was approved is no more what would happen.
        IF v_pending THEN
            FOR v_void IN
                UPDATE change_request q SET status = 'void', updated_at = v_now, void_reason = format(
                    'release %s by %s changed %s', revision, p_actor, (
                        SELECT string_agg(n.name || '/' || k.name, ', ' ORDER BY n.name COLLATE "C", k.name COLLATE "C")
                        FROM (SELECT c.key_id FROM request_change c
                              WHERE c.request_id = q.id AND c.edition = q.edition AND c.key_id = ANY (changed_key_ids) LIMIT 3) AS c
                        JOIN config_key k ON k.id = c.key_id JOIN namespace n ON n.id = k.namespace_id))
                WHERE q.env_id = p_env_id AND q.status IN ('open', 'approved') AND q.id IS DISTINCT FROM p_change_request AND EXISTS (
                    SELECT FROM request_change c
                    WHERE c.request_id = q.id AND c.edition = q.edition AND c.key_id = ANY (changed_key_ids))
                RETURNING q.id, q.namespaces, q.void_reason
            LOOP
                PERFORM append_audit_event(
                    p_env_id, p_env_id, v_env, NULL, 'request.void', p_actor, p_request_id, p_address, v_void.namespaces,
                    jsonb_build_object('request', v_void.id, 'reason', v_void.void_reason), v_now);
            END LOOP;
        END IF;
    END IF;

    IF p_change_request IS NOT NULL THEN
        UPDATE change_request q SET status = 'applied', revision = commit_release.revision, updated_at = v_now
        WHERE q.id = p_change_request;
        PERFORM append_audit_event(
            p_env_id, p_env_id, v_env, revision, 'request.apply', p_actor, p_request_id, p_address,
            (SELECT q.namespaces FROM change_request q WHERE q.id = p_change_request),
            jsonb_build_object('request', p_change_request, 'changed', cardinality(changed_key_ids) > 0), v_now);
    END IF;

    IF p_idempotency_key IS NOT NULL THEN
        INSERT INTO idempotency (caller, key, request, body_hash, env_id, revision, changed, created_at)
        VALUES (p_actor, p_idempotency_key, p_request, p_body_hash, p_env_id, revision, cardinality(changed_key_ids) > 0, v_now)
        -- Only a row older than 24 hours can be in the way here.
        ON CONFLICT (caller, key, request) DO UPDATE
        SET body_hash = EXCLUDED.body_hash, env_id = EXCLUDED.env_id, revision = EXCLUDED.revision, changed = EXCLUDED.changed,
            created_at = EXCLUDED.created_at;
    END IF;
END $$;

-- What an approved request commits is what was approved: decided by the commit function, too, under its lock.

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
    v_previous record;
    v_seen record;
    v_now timestamptz;
    v_change record;
    v_found integer := 0;
    v_changes json[];
    -- The scopes that change: one element each.
    v_namespaces text[];
    v_namespace_ids integer[];
    v_keys_added integer[];
    v_bytes_added integer[];
    v_last integer := 0;
BEGIN
    UPDATE environment e SET revision = e.revision + 1 WHERE e.id = p_env_id
    RETURNING e.revision, e.name, e.review_required, e.approvals INTO revision, v_env, v_protected, v_approvals;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such environment' USING ERRCODE = 'CSENV';
    END IF;
    changed_key_ids := '{}';
    changed_versions := '{}';
    replayed := false;
    SELECT r.revision, r.hash, r.created_at INTO v_previous FROM release r
    WHERE r.env_id = p_env_id ORDER BY r.revision DESC LIMIT 1;
    v_now := greatest(clock_timestamp(), v_previous.created_at + interval '1 microsecond');

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
            IF v_seen.changed THEN
                SELECT array_agg(v.key_id), array_agg(v.version) INTO changed_key_ids, changed_versions
                FROM config_version v WHERE v.env_id = p_env_id AND v.revision = revision;
            END IF;
            RETURN;
        END IF;
    END IF;

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
    ELSIF v_protected AND p_break_glass IS NOT NULL THEN
        v_review := jsonb_build_object('break_glass', p_break_glass);
    ELSIF v_protected AND NOT p_preview THEN
        RAISE EXCEPTION '% is protected', v_env USING ERRCODE = 'CSREV', DETAIL = v_env;
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
    IF p_data_key_ids IS NOT NULL AND EXISTS (
        SELECT FROM data_key d WHERE d.id = ANY (p_data_key_ids) AND d.retired_at IS NOT NULL) THEN
        RAISE EXCEPTION 'a data key was replaced' USING ERRCODE = 'CSSTL';
    END IF;

    -- In the order of the hashed content. The share lock keeps the keys as they are: who deletes one or defines it anew locks it
    -- FOR UPDATE.
    FOR v_change IN
        SELECT w.key_id, w.value, w.value_id, w.fingerprint, w.data_key_id, w.nonce, w.ciphertext,
               k.name AS key, k.type, k.namespace_id, n.name AS namespace, a.version,
               -- A secret always makes a version: "nothing changed" would tell a guesser that the guess was right.
               w.value_id IS NOT NULL OR a.value_id IS NOT NULL OR w.value IS DISTINCT FROM a.value AS changed,
               num_nonnulls(w.value, w.value_id) - num_nonnulls(a.value, a.value_id) AS keys_added,
               coalesce(octet_length(k.name) + coalesce(octet_length(w.value), octet_length(w.ciphertext), octet_length(t.ciphertext)), 0)
                   - coalesce(octet_length(k.name) + coalesce(octet_length(a.value), octet_length(s.ciphertext)), 0) AS bytes_added
        FROM unnest(p_key_ids, p_definitions, p_values, p_value_ids, p_fingerprints, p_data_key_ids, p_nonces, p_ciphertexts)
            AS w (key_id, definition, value, value_id, fingerprint, data_key_id, nonce, ciphertext)
        JOIN config_key k ON k.id = w.key_id AND k.definition = w.definition AND k.deleted_at IS NULL
        JOIN namespace n ON n.id = k.namespace_id
        LEFT JOIN config_version a ON a.env_id = p_env_id AND a.key_id = w.key_id AND a.is_active
        LEFT JOIN secret_value s ON s.value_id = a.value_id
        LEFT JOIN secret_value t ON t.value_id = w.value_id
        ORDER BY n.name COLLATE "C", k.name COLLATE "C"
        FOR KEY SHARE OF k
    LOOP
        v_found := v_found + 1;
        CONTINUE WHEN NOT v_change.changed;
        IF v_change.version IS NULL THEN
            -- A name that was deleted and declared again goes on counting: "v3" is an ETag, and must never mean two things.
            SELECT coalesce(max(v.version), 0) INTO v_change.version
            FROM config_key k JOIN config_version v ON v.env_id = p_env_id AND v.key_id = k.id
            WHERE k.namespace_id = v_change.namespace_id AND k.name = v_change.key;
        ELSE
            UPDATE config_version v SET is_active = false WHERE v.env_id = p_env_id AND v.key_id = v_change.key_id AND v.is_active;
        END IF;
        v_change.version := v_change.version + 1;
        IF v_change.ciphertext IS NOT NULL THEN
            INSERT INTO secret_value (value_id, key_id, data_key_id, nonce, ciphertext, created_at)
            VALUES (v_change.value_id, v_change.key_id, v_change.data_key_id, v_change.nonce, v_change.ciphertext, v_now);
        END IF;
        INSERT INTO config_version
            (env_id, namespace_id, key_id, version, revision, value, deleted, is_active, created_by, created_at, value_id, fingerprint)
        VALUES (p_env_id, v_change.namespace_id, v_change.key_id, v_change.version, revision,
                v_change.value, num_nonnulls(v_change.value, v_change.value_id) = 0, true, p_actor, v_now,
                v_change.value_id, v_change.fingerprint);

        changed_key_ids := changed_key_ids || v_change.key_id;
        changed_versions := changed_versions || v_change.version;
        v_changes := v_changes || CASE WHEN v_change.value_id IS NULL
            THEN json_build_array(v_change.namespace, v_change.key, v_change.type, v_change.version, v_change.value)
            ELSE json_build_array(v_change.namespace, v_change.key, v_change.type, v_change.version, v_change.value,
                                  v_change.value_id, v_change.fingerprint) END;
        IF v_last = 0 OR v_namespace_ids[v_last] <> v_change.namespace_id THEN
            v_last := v_last + 1;
            v_namespaces[v_last] := v_change.namespace;
            v_namespace_ids[v_last] := v_change.namespace_id;
            v_keys_added[v_last] := v_change.keys_added;
            v_bytes_added[v_last] := v_change.bytes_added;
        ELSE
            v_keys_added[v_last] := v_keys_added[v_last] + v_change.keys_added;
            v_bytes_added[v_last] := v_bytes_added[v_last] + v_change.bytes_added;
        END IF;
    END LOOP;
    IF v_found <> cardinality(p_key_ids) THEN
        RAISE EXCEPTION 'a key was deleted or defined anew meanwhile' USING ERRCODE = 'CSKEY';
    END IF;

    IF v_last = 0 THEN
        UPDATE environment e SET revision = e.revision - 1 WHERE e.id = p_env_id;
        revision := v_previous.revision;
        hash := v_previous.hash;
    ELSE
        INSERT INTO scope AS s (env_id, namespace_id, revision, keys, bytes)
        SELECT p_env_id, c.namespace_id, revision, c.keys_added, c.bytes_added
        FROM unnest(v_namespace_ids, v_keys_added, v_bytes_added) AS c (namespace_id, keys_added, bytes_added)
        ON CONFLICT (env_id, namespace_id)
        DO UPDATE SET revision = EXCLUDED.revision, keys = s.keys + EXCLUDED.keys, bytes = s.bytes + EXCLUDED.bytes;

        hash := sha256(v_previous.hash || convert_to(release_content(
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

    IF p_change_request IS NOT NULL THEN
        UPDATE change_request q SET status = 'applied', revision = commit_release.revision, updated_at = v_now
        WHERE q.id = p_change_request;
        PERFORM append_audit_event(
            p_env_id, p_env_id, v_env, revision, 'request.apply', p_actor, p_request_id, p_address,
            (SELECT q.namespaces FROM change_request q WHERE q.id = p_change_request),
            jsonb_build_object('request', p_change_request, 'changed', v_last > 0), v_now);
    END IF;

    IF p_idempotency_key IS NOT NULL THEN
        INSERT INTO idempotency (caller, key, request, body_hash, env_id, revision, changed, created_at)
        VALUES (p_actor, p_idempotency_key, p_request, p_body_hash, p_env_id, revision, v_last > 0, v_now)
        -- Only a row older than 24 hours can be in the way here.
        ON CONFLICT (caller, key, request) DO UPDATE
        SET body_hash = EXCLUDED.body_hash, env_id = EXCLUDED.env_id, revision = EXCLUDED.revision, changed = EXCLUDED.changed,
            created_at = EXCLUDED.created_at;
    END IF;
END $$;

-- Who may, with whose leave, and a record that shows tampering: change requests, chained audit events, and whom a token counts as. And a
-- clock for who is alive, which no step of the database's clock moves.

ALTER TABLE release ADD COLUMN review jsonb;

ALTER TABLE token ADD COLUMN principal text, ADD COLUMN last_used_at timestamptz;
-- Until now all tokens came from the command line.
UPDATE token SET principal = name;
ALTER TABLE token ALTER COLUMN principal SET NOT NULL;

-- A proposed release. Whatever touches one holds its environment's row lock first, as the commit does.
CREATE TABLE change_request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    env_id smallint NOT NULL REFERENCES environment,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'approved', 'rejected', 'withdrawn', 'applied', 'void')),
    -- Grows with every edit. An approval is of one edition.
    edition integer NOT NULL DEFAULT 1,
    note text NOT NULL,
    namespaces text[] NOT NULL,
    -- The environment's revision that this edition was made on, and SHA-256 of its changes and of the versions that they replace.
    base bigint NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    author text NOT NULL,
    -- Who the author counts as: see token.principal.
    principal text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    void_reason text,
    -- What it became.
    revision bigint,
    CONSTRAINT change_request_void CHECK ((status = 'void') = (void_reason IS NOT NULL)),
    CONSTRAINT change_request_applied CHECK ((status = 'applied') = (revision IS NOT NULL))
);

-- Every commit asks for those that it makes void.
CREATE INDEX change_request_pending ON change_request (env_id) WHERE status IN ('open', 'approved');

-- What an edition proposes: a value (canonical JSON text; NULL deletes), or another schema for the key.
CREATE TABLE request_change (
    request_id bigint NOT NULL REFERENCES change_request,
    edition integer NOT NULL,
    key_id bigint NOT NULL REFERENCES config_key,
    value text,
    new_schema text,
    -- When it was proposed: the active version, 0 where there was none, and the key's definition.
    base_version integer NOT NULL,
    base_definition integer NOT NULL,
    PRIMARY KEY (request_id, edition, key_id),
    CONSTRAINT request_change_one CHECK (value IS NULL OR new_schema IS NULL)
);

CREATE TABLE request_review (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id bigint NOT NULL REFERENCES change_request,
    edition integer NOT NULL,
    decision text NOT NULL CHECK (decision IN ('approve', 'reject', 'comment')),
    comment text NOT NULL,
    reviewer text NOT NULL,
    principal text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX request_review_request ON request_review (request_id, id);

-- Functions that take or return other things now.
DROP FUNCTION release_content(text, bigint, text, text, text, timestamptz, json);
DROP FUNCTION record_audit_event(text, text, text, text, jsonb);
DROP FUNCTION commit_release(
    smallint, text, text, text, bigint[], integer[], text[], integer, integer, text, bigint, integer[], text, text, bytea, text, text);

-- What a release's hash covers, as text. `p_changes` holds [namespace, key, type, version, value text or null] in the order of namespace
-- and key; `p_review` is there only where a release has one. Being JSON, it has no two readings. `configsvc audit verify` computes it by
-- other means.
CREATE FUNCTION release_content(
    p_env text, p_revision bigint, p_kind text, p_note text, p_created_by text, p_created_at timestamptz, p_changes json, p_review jsonb
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT (CASE WHEN p_review IS NULL THEN json_build_array(
        'configsvc/release/v1', p_env, p_revision, p_kind, p_note, p_created_by,
        trunc(extract(epoch FROM p_created_at) * 1000000)::bigint, p_changes)
    ELSE json_build_array(
        'configsvc/release/v1', p_env, p_revision, p_kind, p_note, p_created_by,
        trunc(extract(epoch FROM p_created_at) * 1000000)::bigint, p_changes, p_review) END)::text
$$;

-- What an audit event's hash covers, as text. `p_chain` is the environment's name, '' for the chain of all else.
CREATE FUNCTION audit_content(
    p_chain text, p_env text, p_revision bigint, p_action text, p_actor text, p_request_id text, p_address text, p_namespaces text[],
    p_details jsonb, p_created_at timestamptz
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT json_build_array(
        'configsvc/audit/v1', p_chain, p_env, p_revision, p_action, p_actor, p_request_id, p_address, p_namespaces, p_details,
        trunc(extract(epoch FROM p_created_at) * 1000000)::bigint)::text
$$;

ALTER TABLE audit_event ADD COLUMN chain smallint, ADD COLUMN namespaces text[], ADD COLUMN hash bytea CHECK (length(hash) = 32);

-- Events of before get their place in a chain, as they are: what was done to them until now can't be known.
ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only;
DO $$
DECLARE
    v_event record;
    v_hash bytea;
    v_tails jsonb := '{}';
BEGIN
    UPDATE audit_event SET chain = coalesce(env_id, 0), namespaces = coalesce(
        (SELECT array_agg(n) FROM jsonb_array_elements_text(
            CASE WHEN jsonb_typeof(details -> 'namespaces') = 'array' THEN details -> 'namespaces' ELSE '[]' END) AS n),
        CASE WHEN details ? 'namespace' THEN ARRAY[details ->> 'namespace'] ELSE '{}' END);
    FOR v_event IN SELECT a.*, e.name AS env FROM audit_event a LEFT JOIN environment e ON e.id = a.env_id ORDER BY a.id LOOP
        v_hash := sha256(coalesce(decode(v_tails ->> v_event.chain::text, 'hex'), '') || convert_to(audit_content(
            coalesce(v_event.env, ''), v_event.env, v_event.revision, v_event.action, v_event.actor, v_event.request_id,
            v_event.address, v_event.namespaces, v_event.details, v_event.created_at), 'UTF8'));
        UPDATE audit_event SET hash = v_hash WHERE id = v_event.id;
        v_tails := v_tails || jsonb_build_object(v_event.chain, encode(v_hash, 'hex'));
    END LOOP;
END $$;
ALTER TABLE audit_event ENABLE TRIGGER audit_event_append_only;
ALTER TABLE audit_event ALTER COLUMN chain SET NOT NULL, ALTER COLUMN namespaces SET NOT NULL, ALTER COLUMN hash SET NOT NULL;
CREATE UNIQUE INDEX audit_event_chain ON audit_event (chain, id);

-- Appends one event to a chain whose lock the caller holds: an environment's row, or for chain 0 the advisory lock of record_audit_event.
CREATE FUNCTION append_audit_event(
    p_chain smallint, p_env_id smallint, p_env text, p_revision bigint, p_action text, p_actor text, p_request_id text, p_address text,
    p_namespaces text[], p_details jsonb, p_created_at timestamptz
) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_previous bytea;
BEGIN
    SELECT a.hash INTO v_previous FROM audit_event a WHERE a.chain = p_chain ORDER BY a.id DESC LIMIT 1;
    INSERT INTO audit_event
        (chain, env_id, revision, action, actor, request_id, address, namespaces, details, created_at, hash)
    VALUES (p_chain, p_env_id, p_revision, p_action, p_actor, p_request_id, p_address, p_namespaces, p_details, p_created_at,
            sha256(coalesce(v_previous, '') || convert_to(audit_content(
                CASE WHEN p_chain = 0 THEN '' ELSE p_env END, p_env, p_revision, p_action, p_actor, p_request_id, p_address,
                p_namespaces, p_details, p_created_at), 'UTF8')));
END $$;

-- The only way into audit_event for what is not a release. `p_env`: what it is about, if it is about one environment. `p_in_order`: in the
-- environment's own chain, which takes the lock that its commits take.
CREATE FUNCTION record_audit_event(
    p_env text, p_in_order boolean, p_namespaces text[], p_action text, p_actor text, p_request_id text, p_address text, p_details jsonb
) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_env_id smallint;
    v_env text; -- as it is stored: NULL where there is no such environment
    v_chain smallint := 0;
BEGIN
    IF p_in_order THEN
        SELECT e.id, e.name, e.id INTO v_env_id, v_env, v_chain FROM environment e WHERE e.name = p_env FOR NO KEY UPDATE;
    ELSE
        SELECT e.id, e.name INTO v_env_id, v_env FROM environment e WHERE e.name = p_env;
        PERFORM pg_advisory_xact_lock(hashtext('configsvc audit'));
    END IF;
    PERFORM append_audit_event(
        v_chain, v_env_id, v_env, NULL, p_action, p_actor, p_request_id, p_address, p_namespaces, p_details, clock_timestamp());
END $$;

-- How many people approve a request as it is now: of each the last word counts, and the author has none.
CREATE FUNCTION approved_by(p_request_id bigint, p_edition integer, p_principal text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(r.reviewer ORDER BY r.id), '{}')
    FROM (
        SELECT DISTINCT ON (v.principal) v.id, v.reviewer, v.decision FROM request_review v
        WHERE v.request_id = p_request_id AND v.edition = p_edition AND v.decision <> 'comment' AND v.principal <> p_principal
        ORDER BY v.principal, v.id DESC) AS r
    WHERE r.decision = 'approve'
$$;

-- Commits one release: all of its changes or none, in the environment's order.
--
-- The first statement takes the environment's row lock. Under READ COMMITTED every later statement then sees all that was committed
-- before the lock was granted; that is why this is a VOLATILE function of several statements and not one big one (docs/decisions.md).
-- Errors: CSENV no such environment · CSKEY a key was deleted or defined anew meanwhile · CSIDM Idempotency-Key used with another body ·
-- CSIFM If-Match does not hold · CSSTL the plan's base moved · CSREV the environment is protected · CSREQ the request is not to be applied
-- as it stands; and the scope's limits.
CREATE FUNCTION commit_release(
    p_env_id smallint,
    p_kind text,
    p_note text,
    p_actor text,
    p_key_ids bigint[],      -- each key once
    p_definitions integer[], -- what the values were checked by: each key's definition
    p_values text[],         -- canonical JSON text; NULL deletes
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

    -- In the order of the hashed content. The share lock keeps the keys as they are: who deletes one or defines it anew locks it
    -- FOR UPDATE.
    FOR v_change IN
        SELECT w.key_id, w.value, k.name AS key, k.type, k.namespace_id, n.name AS namespace, a.version,
               w.value IS DISTINCT FROM a.value AS changed,
               (w.value IS NOT NULL)::integer - (a.value IS NOT NULL)::integer AS keys_added,
               coalesce(octet_length(k.name) + octet_length(w.value), 0)
                   - coalesce(octet_length(k.name) + octet_length(a.value), 0) AS bytes_added
        FROM unnest(p_key_ids, p_definitions, p_values) AS w (key_id, definition, value)
        JOIN config_key k ON k.id = w.key_id AND k.definition = w.definition AND k.deleted_at IS NULL
        JOIN namespace n ON n.id = k.namespace_id
        LEFT JOIN config_version a ON a.env_id = p_env_id AND a.key_id = w.key_id AND a.is_active
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
        INSERT INTO config_version
            (env_id, namespace_id, key_id, version, revision, value, deleted, is_active, created_by, created_at)
        VALUES (p_env_id, v_change.namespace_id, v_change.key_id, v_change.version, revision,
                v_change.value, v_change.value IS NULL, true, p_actor, v_now);

        changed_key_ids := changed_key_ids || v_change.key_id;
        changed_versions := changed_versions || v_change.version;
        v_changes := v_changes
            || json_build_array(v_change.namespace, v_change.key, v_change.type, v_change.version, v_change.value);
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

GRANT SELECT ON change_request, request_change, request_review TO configsvc_service;
GRANT UPDATE (last_used_at) ON token TO configsvc_service;
GRANT INSERT, UPDATE (status, edition, note, namespaces, base, digest, updated_at, void_reason) ON change_request TO configsvc_service;
GRANT INSERT ON request_change, request_review TO configsvc_service;
GRANT EXECUTE ON FUNCTION record_audit_event, approved_by, commit_release TO configsvc_service;

-- The watch clock ----------------------------------------------------------------------------------------------------

ALTER TABLE outbox ADD COLUMN watch_time timestamptz;

-- The time by which clients are alive or lost, and releases arrive. It goes on as the database's clock does while the service looks at
-- it, every second: at most 5 s from one look to the next, so that neither a step of that clock nor an outage is taken for a client's
-- silence. Unlogged, so that a crash empties it together with config_watch.
CREATE UNLOGGED TABLE watch_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shows timestamptz NOT NULL,
    looked_at timestamptz NOT NULL, -- by the database's clock
    -- From when on config_watch holds every client: after a crash nobody takes the first clients that are back for all of them.
    complete_from timestamptz NOT NULL
);
INSERT INTO watch_clock (shows, looked_at, complete_from) VALUES (clock_timestamp(), clock_timestamp(), '-infinity');

-- What it shows now. Where the database's clock was set back, about a second has passed: the time between two looks.
CREATE VIEW watch_time AS
SELECT c.shows + CASE WHEN clock_timestamp() < c.looked_at THEN interval '1 second'
                      ELSE least(clock_timestamp() - c.looked_at, interval '5 seconds') END AS now, c.complete_from
FROM watch_clock c;

-- The clock begins with the database's, by which clients were seen until now.
DROP TABLE config_watch_complete;
DROP VIEW watcher;

-- Who follows what, alive or lost for less than 10 minutes. `revision` counts only by a cursor of this history: 0 is none. `last_seen` is
-- for people, by the database's clock.
CREATE VIEW watcher AS
SELECT w.client_id, w.env_id, w.namespaces, w.service, w.host, w.pid, w.sdk, w.transport, coalesce(r.revision, 0) AS revision, w.rejected,
       clock_timestamp() - (t.now - w.last_seen) AS last_seen, w.live_until > t.now AS live
FROM config_watch w
CROSS JOIN watch_time t
LEFT JOIN release r ON r.env_id = w.env_id AND r.revision = w.revision
    AND r.revision || '.' || left(encode(r.hash, 'hex'), 16) = w.cursor
WHERE w.live_until > t.now - interval '10 minutes';

-- Notes which of an environment's releases in a range half, 99 % and all of the watchers show by now. Looks at the newest thousand of the
-- last 10 minutes, and at each set of namespaces once.
CREATE OR REPLACE FUNCTION measure_convergence(p_env_id smallint, p_after bigint, p_to bigint) RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- One at a time, or of two that each bring the last report but the other's neither would see all. Held by a function and not by a
    -- client's transaction: a worker that freezes keeps no lock.
    PERFORM pg_advisory_xact_lock(hashtext('configsvc reports'));
    INSERT INTO release_convergence AS c (env_id, revision, p50_s, p99_s, all_s)
    WITH recent AS MATERIALIZED (
        SELECT r.revision, r.namespaces, greatest(extract(epoch FROM t.now - o.watch_time), 0) AS age_s
        FROM watch_time t
        JOIN outbox o ON o.env_id = p_env_id AND o.revision > p_after AND o.revision <= p_to AND o.watch_time > t.now - interval '10 minutes'
        JOIN release r ON r.env_id = o.env_id AND r.revision = o.revision
        ORDER BY r.revision DESC LIMIT 1000
    ), watching AS MATERIALIZED (
        SELECT w.namespaces, w.revision FROM watcher w WHERE w.env_id = p_env_id AND w.live
    ), shown AS MATERIALIZED (
        SELECT n.namespaces, min(w.revision) AS by_all,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY w.revision DESC) AS by_half,
               percentile_disc(0.99) WITHIN GROUP (ORDER BY w.revision DESC) AS by_most
        FROM (SELECT DISTINCT r.namespaces FROM recent r) AS n
        JOIN watching w ON w.namespaces && n.namespaces
        GROUP BY n.namespaces
    )
    SELECT p_env_id, r.revision, r.age_s, CASE WHEN r.revision <= s.by_most THEN r.age_s END,
           CASE WHEN r.revision <= s.by_all THEN r.age_s END
    FROM recent r JOIN shown s ON s.namespaces = r.namespaces AND r.revision <= s.by_half
    ON CONFLICT (env_id, revision) DO UPDATE
    SET p99_s = coalesce(c.p99_s, EXCLUDED.p99_s), all_s = coalesce(c.all_s, EXCLUDED.all_s)
    WHERE (c.p99_s IS NULL AND EXCLUDED.p99_s IS NOT NULL) OR (c.all_s IS NULL AND EXCLUDED.all_s IS NOT NULL);
END $$;

-- Writes what many clients said with their syncs, each client once, and measures the releases that this shows to have arrived. Also
-- with nothing to say this is called every second: it keeps the watch clock going.
-- `p_reports`: a JSON array of objects with the columns of config_watch, and `env` and `age_s` for env_id and last_seen.
CREATE OR REPLACE FUNCTION report_clients(p_reports json, p_live_s double precision) RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz;
    v_moved record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('configsvc reports')); -- see measure_convergence
    v_now := clock_timestamp();
    INSERT INTO watch_clock AS c (shows, looked_at, complete_from) VALUES (v_now, v_now, v_now + p_live_s * interval '1 second')
    ON CONFLICT (only_row) DO UPDATE SET shows = (SELECT t.now FROM watch_time t), looked_at = v_now
    -- Often enough, whoever else looks.
    WHERE c.looked_at NOT BETWEEN v_now - interval '1 second' AND v_now;
    v_now := (SELECT t.now FROM watch_time t);
    FOR v_moved IN
        WITH written AS (
            INSERT INTO config_watch AS w
                (client_id, env_id, namespaces, service, host, pid, sdk, transport, revision, cursor, rejected, last_seen, live_until)
            SELECT c.client_id, e.id, c.namespaces, c.service, c.host, c.pid, c.sdk, c.transport,
                   CASE WHEN c.rejected IS NULL THEN c.revision ELSE 0 END, CASE WHEN c.rejected IS NULL THEN c.cursor ELSE '' END,
                   c.rejected, v_now - c.age_s * interval '1 second', v_now + (p_live_s - c.age_s) * interval '1 second'
            FROM json_to_recordset(p_reports) AS c (
                client_id text, env text, namespaces text[], service text, host text, pid integer, sdk text, transport text,
                revision bigint, cursor text, rejected text, age_s double precision)
            JOIN environment e ON e.name = c.env
            ON CONFLICT (client_id) DO UPDATE SET
                env_id = EXCLUDED.env_id, namespaces = EXCLUDED.namespaces, service = EXCLUDED.service, host = EXCLUDED.host,
                pid = EXCLUDED.pid, sdk = EXCLUDED.sdk, transport = EXCLUDED.transport,
                revision = CASE WHEN EXCLUDED.rejected IS NULL THEN EXCLUDED.revision ELSE w.revision END,
                cursor = CASE WHEN EXCLUDED.rejected IS NULL THEN EXCLUDED.cursor ELSE w.cursor END,
                rejected = EXCLUDED.rejected, last_seen = EXCLUDED.last_seen, live_until = EXCLUDED.live_until
            -- Not over what another worker wrote since, unless the clock was set back since the last look at it.
            WHERE w.last_seen <= EXCLUDED.last_seen OR w.last_seen > v_now
            RETURNING w.client_id, w.env_id, w.revision, w.cursor)
        -- The statement sees the table as it was before.
        SELECT n.env_id, min(coalesce(o.revision, 0)) AS after_revision, max(n.revision) AS revision
        FROM written n LEFT JOIN config_watch o ON o.client_id = n.client_id
        WHERE o.cursor IS DISTINCT FROM n.cursor
        GROUP BY n.env_id
    LOOP
        PERFORM measure_convergence(v_moved.env_id, v_moved.after_revision, v_moved.revision);
    END LOOP;
END $$;

GRANT SELECT ON watch_clock, watch_time, watcher TO configsvc_service;
GRANT INSERT, UPDATE ON watch_clock TO configsvc_service;

-- The whole schema as it stands. `configsvc migrate` builds the same database from migrations/, and a test compares the two.
-- Everything belongs to configsvc_owner, which cannot log in. The service logs in as configsvc_service: it reads, and it writes history
-- only through the functions below. configsvc migrate makes both roles.

-- Environments -------------------------------------------------------------------------------------------------------

CREATE TABLE environment (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,19}$'),
    description text NOT NULL DEFAULT '',
    review_required boolean NOT NULL DEFAULT false,
    approvals smallint NOT NULL DEFAULT 1 CHECK (approvals BETWEEN 1 AND 10),
    -- The number of the last release. Its row lock is what orders all commits of the environment.
    revision bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 20); -- every commit updates the row: room on the page keeps those updates out of the indexes

CREATE TABLE namespace (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
    description text NOT NULL DEFAULT '',
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE config_key (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace_id integer NOT NULL REFERENCES namespace,
    name text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$'),
    type text NOT NULL CHECK (type IN ('string', 'int', 'float', 'bool', 'json')),
    description text NOT NULL DEFAULT '',
    secret boolean NOT NULL DEFAULT false,
    -- JSON Schema 2020-12 as canonical text.
    schema text,
    -- Grows with every change of schema or secret: a commit says which one it made its values by.
    definition integer NOT NULL DEFAULT 1,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- A deleted key stays, because past revisions still show it.
    deleted_at timestamptz
);

CREATE UNIQUE INDEX config_key_name ON config_key (namespace_id, name) WHERE deleted_at IS NULL;
-- All keys that a namespace ever had: what a past revision may show, and where a name's version numbers go on.
CREATE INDEX config_key_ever ON config_key (namespace_id, name);

-- Secrets ------------------------------------------------------------------------------------------------------------

-- What encrypts a scope's secrets, or makes their fingerprints; itself encrypted by a key-encryption key that is not in the database.
CREATE TABLE data_key (
    id uuid PRIMARY KEY,
    namespace_id integer NOT NULL REFERENCES namespace,
    env_id smallint NOT NULL REFERENCES environment,
    purpose text NOT NULL CHECK (purpose IN ('secret', 'fingerprint')),
    kek_id text NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- From when on another key encrypts. This one opens what it encrypted, until that is rewritten.
    retired_at timestamptz
);

CREATE UNIQUE INDEX data_key_present ON data_key (namespace_id, env_id, purpose) WHERE retired_at IS NULL;

-- Encrypted values: a version or a proposal points to one. A new data key rewrites them in place, and history stays as it is.
CREATE TABLE secret_value (
    value_id uuid PRIMARY KEY,
    -- What it was sealed for, for whoever rewrites it. Readers open it for the place where they found it, and nowhere else.
    key_id bigint NOT NULL REFERENCES config_key,
    data_key_id uuid NOT NULL REFERENCES data_key,
    nonce bytea NOT NULL CHECK (length(nonce) = 12),
    ciphertext bytea NOT NULL CHECK (length(ciphertext) > 16),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What is under a key: counted, and rewritten in this order.
CREATE INDEX secret_value_data_key ON secret_value (data_key_id, value_id);

-- History: appended by commit_release alone --------------------------------------------------------------------------

CREATE TABLE release (
    env_id smallint NOT NULL REFERENCES environment,
    -- 0 is the empty beginning: a row with a random hash, so that two databases never share a cursor.
    revision bigint NOT NULL CHECK (revision >= 0),
    -- SHA-256 over the previous release's hash and release_content(...) of this one.
    hash bytea NOT NULL CHECK (length(hash) = 32),
    kind text NOT NULL,
    note text NOT NULL,
    namespaces text[] NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    -- By what leave a protected environment was written: {"request", "author", "approved_by"} or {"break_glass": reason}; else NULL.
    review jsonb,
    PRIMARY KEY (env_id, revision)
);

-- What was the state at a moment?
CREATE INDEX release_time ON release (env_id, created_at);

CREATE TABLE config_version (
    env_id smallint NOT NULL,
    namespace_id integer NOT NULL REFERENCES namespace,
    key_id bigint NOT NULL REFERENCES config_key,
    version integer NOT NULL CHECK (version > 0),
    revision bigint NOT NULL,
    -- Canonical JSON text, not jsonb: jsonb turns 1e131071 into 131 kB of digits and loses -0.0. NULL where deleted, and for a secret.
    value text,
    deleted boolean NOT NULL,
    is_active boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    -- A secret: where its ciphertext is, and what it shows to those who may not read it. A version stays a secret, whatever becomes
    -- of its key.
    value_id uuid REFERENCES secret_value,
    fingerprint text,
    PRIMARY KEY (env_id, key_id, version),
    CONSTRAINT config_version_value CHECK (num_nonnulls(value, value_id) = CASE WHEN deleted THEN 0 ELSE 1 END),
    CONSTRAINT config_version_secret CHECK ((value_id IS NULL) = (fingerprint IS NULL))
);

-- One active version per key and environment, whatever a bug or a second writer tries.
CREATE UNIQUE INDEX config_version_active ON config_version (env_id, key_id) WHERE is_active;
-- A key's version at a past revision: one descent per key, however long its history is.
CREATE INDEX config_version_past ON config_version (env_id, key_id, revision);
-- The changes of one release, or of a range of them.
CREATE INDEX config_version_release ON config_version (env_id, revision, namespace_id);
-- Who points to a sealed value: asked before it is forgotten, and by its foreign keys. So have proposals and drafts one.
CREATE INDEX config_version_value_id ON config_version (value_id) WHERE value_id IS NOT NULL;

-- What a scope holds at its last release; made by its first one.
CREATE TABLE scope (
    env_id smallint NOT NULL REFERENCES environment,
    namespace_id integer NOT NULL REFERENCES namespace,
    revision bigint NOT NULL,
    keys integer NOT NULL,
    bytes bigint NOT NULL, -- of names and values; of a secret, its ciphertext
    PRIMARY KEY (env_id, namespace_id),
    -- Every client that follows a scope loads it whole.
    CONSTRAINT scope_keys_max CHECK (keys <= 10000),
    CONSTRAINT scope_bytes_max CHECK (bytes <= 16 * 1024 * 1024)
) WITH (fillfactor = 50);

-- Who did what: appended by append_audit_event alone.
CREATE TABLE audit_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    env_id smallint REFERENCES environment, -- what it is about
    revision bigint,
    action text NOT NULL,
    actor text NOT NULL,
    request_id text NOT NULL,
    address text NOT NULL,
    details jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Each environment's events are one chain, in the order of its releases; 0 is the chain of all else. What is refused goes there
    -- too, so that nobody who may not write holds up those who may.
    chain smallint NOT NULL,
    namespaces text[] NOT NULL,
    -- SHA-256 over the hash of the event before it in its chain and audit_content(...) of this one.
    hash bytea NOT NULL CHECK (length(hash) = 32)
);

-- A chain's tail. Numbers are given under the chain's lock, so they grow along it.
CREATE UNIQUE INDEX audit_event_chain ON audit_event (chain, id);

CREATE FUNCTION refuse_history_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'config_version' AND TG_OP = 'UPDATE' THEN
        -- The one change that history allows: a version stops being the active one.
        IF OLD.is_active AND NOT NEW.is_active THEN
            OLD.is_active := false;
            IF OLD IS NOT DISTINCT FROM NEW THEN
                RETURN NEW;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER config_version_append_only BEFORE UPDATE OR DELETE ON config_version
    FOR EACH ROW EXECUTE FUNCTION refuse_history_change();
CREATE TRIGGER config_version_no_truncate BEFORE TRUNCATE ON config_version
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_history_change();
CREATE TRIGGER release_append_only BEFORE UPDATE OR DELETE ON release
    FOR EACH ROW EXECUTE FUNCTION refuse_history_change();
CREATE TRIGGER release_no_truncate BEFORE TRUNCATE ON release
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_history_change();
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION refuse_history_change();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_history_change();

-- Delivery -----------------------------------------------------------------------------------------------------------

-- One row per release, written in its transaction: what is committed will be published. The messages are made from history.
CREATE TABLE outbox (
    env_id smallint NOT NULL REFERENCES environment,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    -- When it was committed, by the watch clock; null where that did not run yet.
    watch_time timestamptz,
    PRIMARY KEY (env_id, revision)
);

CREATE INDEX outbox_unpublished ON outbox (env_id, revision) WHERE published_at IS NULL;

-- Who publishes. One row; the lease is by time, because an advisory lock would stay with a frozen leader.
CREATE TABLE relay_lease (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    holder uuid,
    expires_at timestamptz NOT NULL DEFAULT '-infinity',
    -- Grows with every header sent; microseconds, so that a restored database is ahead of its dead history at once.
    beat bigint NOT NULL DEFAULT 0
);
INSERT INTO relay_lease DEFAULT VALUES;

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

-- The clients that sync, as they last said. Unlogged: after a crash they report again within half a minute.
CREATE UNLOGGED TABLE config_watch (
    client_id text PRIMARY KEY,
    env_id smallint NOT NULL,
    namespaces text[] NOT NULL,
    service text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    sdk text NOT NULL,
    transport text NOT NULL,
    -- The newest release that the client shows, and the cursor that tells of which history. A client that rejects what it got goes on
    -- showing this one.
    revision bigint NOT NULL,
    cursor text NOT NULL,
    rejected text,
    -- Both by the watch clock.
    last_seen timestamptz NOT NULL,
    -- Silent beyond this moment, it is lost. One that took its leave has -infinity, and is neither alive nor lost.
    live_until timestamptz NOT NULL,
    -- Whose word this is; null of a service from before 0011.
    token_id text
) WITH (fillfactor = 50);

-- Nothing that changes with every report is indexed: the updates stay within the page.
CREATE INDEX config_watch_env ON config_watch (env_id);

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

-- How long a release took to be shown by half, 99 % and all of its watchers: seconds from its commit to the report that made it so. A
-- row begins with the half.
CREATE TABLE release_convergence (
    env_id smallint NOT NULL REFERENCES environment,
    revision bigint NOT NULL,
    p50_s real NOT NULL,
    p99_s real,
    all_s real,
    PRIMARY KEY (env_id, revision)
) WITH (fillfactor = 50);

-- Change requests ----------------------------------------------------------------------------------------------------

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

-- What an edition proposes: a value (canonical JSON text; NULL deletes), a secret's, or another schema for the key.
CREATE TABLE request_change (
    request_id bigint NOT NULL REFERENCES change_request,
    edition integer NOT NULL,
    key_id bigint NOT NULL REFERENCES config_key,
    value text,
    new_schema text,
    -- When it was proposed: the active version, 0 where there was none, and the key's definition.
    base_version integer NOT NULL,
    base_definition integer NOT NULL,
    value_id uuid REFERENCES secret_value,
    fingerprint text,
    -- Where the value was taken from, if it was promoted: nobody sees a secret, and reviewers have to know.
    source_env text,
    source_revision bigint,
    PRIMARY KEY (request_id, edition, key_id),
    CONSTRAINT request_change_source CHECK ((source_env IS NULL) = (source_revision IS NULL)),
    CONSTRAINT request_change_one CHECK (num_nonnulls(value, value_id, new_schema) <= 1),
    CONSTRAINT request_change_secret CHECK ((value_id IS NULL) = (fingerprint IS NULL))
);

CREATE INDEX request_change_value_id ON request_change (value_id) WHERE value_id IS NOT NULL;

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

-- Requests and access ------------------------------------------------------------------------------------------------

-- What a write answered, so that a repeated one gets the same answer. Kept for 24 hours.
CREATE TABLE idempotency (
    caller text NOT NULL,
    key text NOT NULL,
    request text NOT NULL, -- method and path
    body_hash bytea NOT NULL,
    env_id smallint NOT NULL REFERENCES environment,
    revision bigint NOT NULL,
    changed boolean NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (caller, key, request)
);

CREATE TABLE token (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9]{12}$'),
    name text NOT NULL,
    -- SHA-256 is enough here: the secret is 256 random bits, not a password.
    secret_hash bytea NOT NULL CHECK (length(secret_hash) = 32),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz,
    -- Whom it counts as where nobody may approve their own: the name at the root of who minted whom.
    principal text NOT NULL,
    -- To the minute.
    last_used_at timestamptz
);

-- Names are what history shows as the author, so a live one belongs to one token.
CREATE UNIQUE INDEX token_name ON token (name) WHERE revoked_at IS NULL;

CREATE TABLE access_grant (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_id text NOT NULL REFERENCES token ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('viewer', 'developer', 'ops', 'admin', 'service')),
    namespaces text NOT NULL, -- a name, or a pattern with * at the end
    envs text[], -- NULL: every environment
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX access_grant_token ON access_grant (token_id);

-- People who sign in to the pages. What they may do, their name and their end are those of a token whose secret nobody was given: an account is
-- one more way to act as it.
CREATE TABLE account (
    token_id text PRIMARY KEY REFERENCES token,
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%')
);

-- Whom an OpenID provider vouches for. What they may do, their name and their end are those of a token whose secret nobody was given.
CREATE TABLE person (
    issuer text NOT NULL,
    -- Never changes and never becomes somebody else's, unlike names and addresses.
    subject text NOT NULL,
    token_id text NOT NULL UNIQUE REFERENCES token,
    PRIMARY KEY (issuer, subject)
);

-- Browsers that are signed in. Ends with its token, too.
CREATE TABLE session (
    -- SHA-256 of what the cookie holds.
    id_hash bytea PRIMARY KEY CHECK (length(id_hash) = 32),
    token_id text NOT NULL REFERENCES token,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX session_token ON session (token_id);

-- Links that sign somebody in, once.
CREATE TABLE sign_in_link (
    secret_hash bytea PRIMARY KEY CHECK (length(secret_hash) = 32),
    token_id text NOT NULL REFERENCES token,
    expires_at timestamptz NOT NULL
);

-- What somebody collects on the pages before it becomes one release: theirs alone, and gone with their session. Values as a request keeps
-- them: canonical text, or where a secret is sealed; neither unsets.
CREATE TABLE draft_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id bytea NOT NULL REFERENCES session ON DELETE CASCADE,
    env_id smallint NOT NULL REFERENCES environment,
    key_id bigint NOT NULL REFERENCES config_key,
    value text,
    value_id uuid REFERENCES secret_value,
    fingerprint text,
    -- The active version that it was made on, 0 for none.
    base_version integer NOT NULL CHECK (base_version >= 0),
    UNIQUE (session_id, env_id, key_id),
    CHECK (value IS NULL OR value_id IS NULL),
    CHECK ((value_id IS NULL) = (fingerprint IS NULL))
);

CREATE INDEX draft_change_key ON draft_change (key_id);
CREATE INDEX draft_change_value_id ON draft_change (value_id) WHERE value_id IS NOT NULL;

-- Functions ----------------------------------------------------------------------------------------------------------

-- What a release's hash covers, as text. `p_changes` holds [namespace, key, type, version, value text or null] in the order of namespace
-- and key, and for a secret, whose value text is null, also its value_id and fingerprint; `p_review` is there only where a release has
-- one. Being JSON, it has no two readings. `configsvc audit verify` computes it by other means. STABLE as what it calls, or it would not be
-- inlined, and planned anew for each release. So is audit_content.
CREATE FUNCTION release_content(
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
CREATE FUNCTION audit_content(
    p_chain text, p_env text, p_revision bigint, p_action text, p_actor text, p_request_id text, p_address text, p_namespaces text[],
    p_details jsonb, p_created_at timestamptz
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_array(
        'configsvc/audit/v1', p_chain, p_env, p_revision, p_action, p_actor, p_request_id, p_address, p_namespaces, p_details,
        trunc(extract(epoch FROM p_created_at) * 1000000)::bigint)::text
$$;

-- Appends one event to a chain whose lock the caller holds: an environment's row, or for chain 0 the advisory lock of record_audit_event.
-- Called by functions alone that set the search path.
CREATE FUNCTION append_audit_event(
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

-- A new environment with its empty beginning.
CREATE FUNCTION create_environment(p_name text, p_description text, p_review_required boolean, p_approvals smallint, p_actor text)
RETURNS smallint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_id smallint;
BEGIN
    INSERT INTO environment (name, description, review_required, approvals)
    VALUES (p_name, p_description, p_review_required, p_approvals) RETURNING id INTO v_id;
    INSERT INTO release (env_id, revision, hash, kind, note, namespaces, created_by, created_at)
    VALUES (v_id, 0, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'beginning', '', '{}', p_actor,
            clock_timestamp());
    RETURN v_id;
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
CREATE FUNCTION commit_release(
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

-- A scope's first data key for a purpose; of two that are made at the same time the first one stays.
CREATE FUNCTION add_data_key(p_id uuid, p_namespace_id integer, p_env_id smallint, p_purpose text, p_kek_id text, p_wrapped bytea)
RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO data_key (id, namespace_id, env_id, purpose, kek_id, wrapped)
    VALUES (p_id, p_namespace_id, p_env_id, p_purpose, p_kek_id, p_wrapped)
    ON CONFLICT (namespace_id, env_id, purpose) WHERE retired_at IS NULL DO NOTHING
$$;

-- Lets another data key encrypt from now on, unless somebody else has replaced this one. Takes the lock that commits take: one that has
-- sealed its values under the old key is either there already, or will be told to seal them anew.
CREATE FUNCTION replace_data_key(p_old uuid, p_id uuid, p_kek_id text, p_wrapped bytea)
RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM environment e WHERE e.id = (SELECT d.env_id FROM data_key d WHERE d.id = p_old) FOR NO KEY UPDATE;
    UPDATE data_key d SET retired_at = clock_timestamp() WHERE d.id = p_old AND d.purpose = 'secret' AND d.retired_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO data_key (id, namespace_id, env_id, purpose, kek_id, wrapped)
    SELECT p_id, d.namespace_id, d.env_id, d.purpose, p_kek_id, p_wrapped FROM data_key d WHERE d.id = p_old;
    RETURN true;
END $$;

-- The same data key, wrapped by another key-encryption key.
CREATE FUNCTION rewrap_data_key(p_id uuid, p_old_kek_id text, p_kek_id text, p_wrapped bytea)
RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE data_key d SET kek_id = p_kek_id, wrapped = p_wrapped WHERE d.id = p_id AND d.kek_id = p_old_kek_id;
    RETURN FOUND;
END $$;

-- Keeps what a proposal seals. The caller holds the environment's lock.
CREATE FUNCTION keep_secret_values(p_value_ids uuid[], p_key_ids bigint[], p_data_key_ids uuid[], p_nonces bytea[], p_ciphertexts bytea[])
RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO secret_value (value_id, key_id, data_key_id, nonce, ciphertext)
    SELECT w.* FROM unnest(p_value_ids, p_key_ids, p_data_key_ids, p_nonces, p_ciphertexts) AS w
$$;

-- Forgets sealed values to which no version, proposal or draft points, among some pages of the table: what drafts held that were thrown
-- away. Not the newest: whoever has just sealed one is about to point to it.
CREATE FUNCTION forget_secret_values(p_begin tid, p_end tid) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM secret_value s
        WHERE s.ctid >= p_begin AND s.ctid < p_end AND s.created_at < clock_timestamp() - interval '24 hours'
          AND NOT EXISTS (SELECT FROM config_version v WHERE v.value_id = s.value_id)
          AND NOT EXISTS (SELECT FROM request_change c WHERE c.value_id = s.value_id)
          AND NOT EXISTS (SELECT FROM draft_change d WHERE d.value_id = s.value_id)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

-- The same values under another data key of the same scope: those of them that are still under the old one. Returns how many.
CREATE FUNCTION rewrite_secret_values(p_old uuid, p_new uuid, p_value_ids uuid[], p_nonces bytea[], p_ciphertexts bytea[])
RETURNS integer LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_rewritten integer;
BEGIN
    IF NOT EXISTS (
        SELECT FROM data_key o JOIN data_key n USING (namespace_id, env_id, purpose)
        WHERE o.id = p_old AND n.id = p_new AND o.purpose = 'secret') THEN
        RAISE EXCEPTION 'the two data keys are not of one scope' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- In one order, so that two who do the same wait for each other, and never for good.
    PERFORM FROM secret_value s WHERE s.value_id = ANY (p_value_ids) AND s.data_key_id = p_old ORDER BY s.value_id FOR UPDATE;
    UPDATE secret_value s SET data_key_id = p_new, nonce = w.nonce, ciphertext = w.ciphertext
    FROM unnest(p_value_ids, p_nonces, p_ciphertexts) AS w (value_id, nonce, ciphertext)
    WHERE s.value_id = w.value_id AND s.data_key_id = p_old;
    GET DIAGNOSTICS v_rewritten = ROW_COUNT;
    RETURN v_rewritten;
END $$;

-- After many keys were declared at once: until Postgres has counted them it plans for a few, and a release of all of them would go
-- through all of them for each. The table's owner alone may do so.
CREATE FUNCTION count_keys() RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    ANALYZE config_key;
END $$;

-- Notes which of an environment's releases in a range half, 99 % and all of the watchers show by now. Looks at the newest thousand of the
-- last 10 minutes, and at each set of namespaces once.
CREATE FUNCTION measure_convergence(p_env_id smallint, p_after bigint, p_to bigint) RETURNS void LANGUAGE plpgsql VOLATILE
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
-- `p_reports`: a JSON array of objects with the columns of config_watch, and `env` and `age_s` for env_id and last_seen, and `leaving`
-- for live_until: the client ends.
CREATE FUNCTION report_clients(p_reports json, p_live_s double precision) RETURNS void LANGUAGE plpgsql VOLATILE
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
                (client_id, env_id, namespaces, service, host, pid, sdk, transport, revision, cursor, rejected, last_seen, live_until,
                 token_id)
            SELECT c.client_id, e.id, c.namespaces, c.service, c.host, c.pid, c.sdk, c.transport,
                   CASE WHEN c.rejected IS NULL THEN c.revision ELSE 0 END, CASE WHEN c.rejected IS NULL THEN c.cursor ELSE '' END,
                   c.rejected, v_now - c.age_s * interval '1 second',
                   CASE WHEN c.leaving THEN '-infinity' ELSE v_now + (p_live_s - c.age_s) * interval '1 second' END, c.token_id
            FROM json_to_recordset(p_reports) AS c (
                client_id text, env text, namespaces text[], service text, host text, pid integer, sdk text, transport text,
                revision bigint, cursor text, rejected text, age_s double precision, leaving boolean, token_id text)
            JOIN environment e ON e.name = c.env
            ON CONFLICT (client_id) DO UPDATE SET
                env_id = EXCLUDED.env_id, namespaces = EXCLUDED.namespaces, service = EXCLUDED.service, host = EXCLUDED.host,
                pid = EXCLUDED.pid, sdk = EXCLUDED.sdk, transport = EXCLUDED.transport,
                revision = CASE WHEN EXCLUDED.rejected IS NULL THEN EXCLUDED.revision ELSE w.revision END,
                cursor = CASE WHEN EXCLUDED.rejected IS NULL THEN EXCLUDED.cursor ELSE w.cursor END,
                rejected = EXCLUDED.rejected, last_seen = EXCLUDED.last_seen, live_until = EXCLUDED.live_until,
                token_id = EXCLUDED.token_id
            -- Not over what another worker wrote since, unless the clock was set back since the last look at it.
            WHERE (w.last_seen <= EXCLUDED.last_seen OR w.last_seen > v_now)
              -- Nobody speaks for a client of another token while that is alive, nor takes leave for it ever: its id is no secret.
              AND (w.token_id = EXCLUDED.token_id OR EXCLUDED.live_until > '-infinity'
                  AND (w.token_id IS NULL OR EXCLUDED.token_id IS NULL OR w.live_until <= v_now))
              -- After that a request that was still on its way brings it back to nobody.
              AND (w.live_until > '-infinity' OR w.last_seen < EXCLUDED.last_seen - interval '10 seconds')
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

-- Rights of the service's role ---------------------------------------------------------------------------------------

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
-- Nor on those that later migrations make.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO configsvc_service;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO configsvc_service;
GRANT INSERT, UPDATE (description) ON namespace TO configsvc_service;
-- FOR UPDATE and FOR KEY SHARE ask for an UPDATE right on one column.
GRANT INSERT, UPDATE (description, secret, schema, definition, deleted_at) ON config_key TO configsvc_service;
GRANT UPDATE (description, review_required, approvals) ON environment TO configsvc_service;
GRANT INSERT, UPDATE (revoked_at, last_used_at) ON token TO configsvc_service;
GRANT INSERT, UPDATE (status, edition, note, namespaces, base, digest, updated_at, void_reason) ON change_request TO configsvc_service;
GRANT INSERT ON request_change, request_review TO configsvc_service;
GRANT INSERT, DELETE ON access_grant TO configsvc_service;
GRANT INSERT, UPDATE (password_hash) ON account TO configsvc_service;
GRANT INSERT, DELETE ON person TO configsvc_service;
GRANT INSERT, DELETE ON session, sign_in_link, draft_change TO configsvc_service;
GRANT UPDATE (published_at), DELETE ON outbox TO configsvc_service;
GRANT UPDATE ON relay_lease TO configsvc_service;
GRANT INSERT, UPDATE, DELETE ON config_watch TO configsvc_service;
GRANT INSERT, UPDATE ON watch_clock TO configsvc_service;
GRANT INSERT, UPDATE (p99_s, all_s) ON release_convergence TO configsvc_service;
GRANT DELETE ON idempotency TO configsvc_service;
GRANT EXECUTE ON FUNCTION create_environment, record_audit_event, approved_by, commit_release, report_clients, measure_convergence,
    add_data_key, replace_data_key, rewrap_data_key, keep_secret_values, forget_secret_values, rewrite_secret_values,
    count_keys TO configsvc_service;

-- The environments that everybody has. Production is protected from the first minute.
SELECT create_environment('development', 'For work in progress', false, 1::smallint, 'configsvc migrate');
SELECT create_environment('staging', 'Like production, for rehearsals', false, 1::smallint, 'configsvc migrate');
SELECT create_environment('production', 'What customers use', true, 1::smallint, 'configsvc migrate');

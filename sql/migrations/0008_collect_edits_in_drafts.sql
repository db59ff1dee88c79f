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

GRANT SELECT, INSERT, DELETE ON draft_change TO configsvc_service;

-- Accounts and sessions of the admin pages.

-- People who sign in to the pages. What they may do, their name and their end are those of a token whose secret nobody was given: an account is
-- one more way to act as it.
CREATE TABLE account (
    token_id text PRIMARY KEY REFERENCES token,
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%')
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

GRANT SELECT ON account, session, sign_in_link TO configsvc_service;
GRANT INSERT, UPDATE (password_hash) ON account TO configsvc_service;
GRANT INSERT, DELETE ON session, sign_in_link TO configsvc_service;

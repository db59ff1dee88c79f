-- People who sign in by OpenID Connect.

-- Whom an OpenID provider vouches for. What they may do, their name and their end are those of a token whose secret nobody was given.
CREATE TABLE person (
    issuer text NOT NULL,
    -- Never changes and never becomes somebody else's, unlike names and addresses.
    subject text NOT NULL,
    token_id text NOT NULL UNIQUE REFERENCES token,
    PRIMARY KEY (issuer, subject)
);

GRANT SELECT, INSERT, DELETE ON person TO configsvc_service;

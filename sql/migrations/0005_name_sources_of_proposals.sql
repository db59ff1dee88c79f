-- A proposal says of what it takes from another environment where it is from: nobody sees a secret, and reviewers have to know.
ALTER TABLE request_change
    ADD COLUMN source_env text,
    ADD COLUMN source_revision bigint,
    ADD CONSTRAINT request_change_source CHECK ((source_env IS NULL) = (source_revision IS NULL));

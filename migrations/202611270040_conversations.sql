-- Steps that move on by themselves: which node talks with the provider, and the code that is on show, sealed.
ALTER TABLE attempts ADD COLUMN talks_on TEXT;
ALTER TABLE attempts ADD COLUMN code BYTEA;
ALTER TABLE attempts ADD COLUMN code_version BIGINT NOT NULL DEFAULT 0;

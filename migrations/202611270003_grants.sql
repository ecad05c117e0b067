-- Ways back for people who were sent to a provider's own pages. `id` is the hash of the `state` that they bring back;
-- what else they bring waits here, sealed, until the browser that left has shown its cookie and the handle.
CREATE TABLE returns (
    id TEXT NOT NULL PRIMARY KEY,
    attempt_id TEXT NOT NULL,
    -- The step that they were sent away from.
    attempt_version BIGINT NOT NULL,
    parked BYTEA,
    handle_hash TEXT,
    parked_at BIGINT
);

CREATE INDEX returns_attempt ON returns (attempt_id, attempt_version);

-- Grants that nobody uses any more, to be ended at their provider; with what of the person's other grants would end
-- with them.
CREATE TABLE releases (
    id TEXT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    identity_mark TEXT NOT NULL,
    secret BYTEA,
    state TEXT NOT NULL,
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- When the provider was asked last.
    ended_at BIGINT
);

CREATE INDEX releases_due ON releases (state, due_at);
CREATE INDEX releases_identity ON releases (provider, identity_mark);

-- Which call renews an account's credentials, and until when it holds them.
ALTER TABLE accounts ADD COLUMN busy_by TEXT;
ALTER TABLE accounts ADD COLUMN busy_until BIGINT;

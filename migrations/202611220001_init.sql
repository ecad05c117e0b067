-- One text for SQLite and PostgreSQL: text, BIGINT and bytes only; times are UTC milliseconds from our own
-- clock; whatever must not be read at rest is BYTEA and sealed.

CREATE TABLE sealed_values (
    id TEXT NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

-- The server processes that live, and the keys that each of them holds: no key seals before all of them can open
-- what it seals.
CREATE TABLE nodes (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    keys TEXT NOT NULL,
    seals TEXT NOT NULL,
    heard_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    dialect TEXT NOT NULL,
    purpose TEXT NOT NULL,
    state TEXT NOT NULL,
    link_hash TEXT NOT NULL UNIQUE,
    providers TEXT NOT NULL,
    request BYTEA NOT NULL,
    name_mark TEXT,
    provider TEXT,
    account_id TEXT,
    cookie_hash TEXT,
    claim_no BIGINT NOT NULL,
    claimed_at BIGINT,
    attempt_id TEXT,
    secrets_tried BIGINT NOT NULL,
    cause TEXT,
    -- Where in its backend's trace it was asked for (W3C traceparent).
    trace TEXT,
    seq BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);

CREATE INDEX sessions_open ON sessions (state, expires_at);

CREATE TABLE attempts (
    id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL,
    claim_no BIGINT NOT NULL,
    provider TEXT NOT NULL,
    method TEXT NOT NULL,
    host TEXT NOT NULL,
    state TEXT NOT NULL,
    shown BYTEA NOT NULL,
    shown_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    busy_by TEXT,
    busy_until BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX attempts_session ON attempts (session_id);

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    status TEXT NOT NULL,
    cause TEXT,
    identity_mark TEXT NOT NULL,
    name_mark TEXT,
    details BYTEA NOT NULL,
    secret BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    status_at BIGINT NOT NULL
);

-- The same person connecting the same account for the same name twice repairs the first one; without a name
-- (NULL, which both databases hold distinct) nothing is merged.
CREATE UNIQUE INDEX accounts_identity ON accounts (provider, identity_mark, name_mark);
CREATE INDEX accounts_name ON accounts (name_mark);

CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    facts TEXT NOT NULL,
    at BIGINT NOT NULL
);

CREATE UNIQUE INDEX events_order ON events (subject, seq);

CREATE TABLE endpoints (
    id TEXT NOT NULL PRIMARY KEY,
    dialect TEXT NOT NULL,
    session_id TEXT,
    lane TEXT NOT NULL,
    kinds TEXT NOT NULL,
    target BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX endpoints_session ON endpoints (session_id);

CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    seq BIGINT NOT NULL,
    lane TEXT NOT NULL,
    state TEXT NOT NULL,
    out_of_order BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    leased_by TEXT,
    lease_until BIGINT,
    version BIGINT NOT NULL,
    body BYTEA,
    trace TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);

-- Deliveries to one host share a lane, so that a slow host holds up nobody else.
CREATE INDEX deliveries_due ON deliveries (state, lane, due_at);
CREATE INDEX deliveries_order ON deliveries (endpoint_id, subject, seq);
CREATE INDEX deliveries_event ON deliveries (event_id);

CREATE TABLE delivery_tries (
    delivery_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    took BIGINT NOT NULL,
    status BIGINT,
    problem TEXT,
    answer BYTEA,
    PRIMARY KEY (delivery_id, number)
);

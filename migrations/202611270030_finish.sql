-- Sign-ins that are held until the product's backend redeems the code that the browser carried home. `details` and
-- `secret` wait here, sealed, where an account that exists is to be repaired; a new account holds its own.
CREATE TABLE finishes (
    session_id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    details BYTEA,
    secret BYTEA,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX finishes_due ON finishes (due_at);
CREATE INDEX finishes_account ON finishes (account_id, created_at);

-- Who had to do with an account's secret: never the secret itself. A row is written once and never changed.
CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    key_id TEXT NOT NULL,
    account_id TEXT,
    address TEXT,
    outcome TEXT NOT NULL,
    cause TEXT,
    request_id TEXT NOT NULL
);

CREATE INDEX audit_account ON audit (account_id, id);
CREATE INDEX audit_key ON audit (key_id, id);

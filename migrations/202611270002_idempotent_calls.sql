-- Calls that must have their effect once, however often they are sent (Idempotency-Key). `id` and `fingerprint` are
-- marks: of whose call it is, and of its body. The reply holds a link, so it is sealed, and gone with the session.
CREATE TABLE idempotent_calls (
    id TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    version BIGINT NOT NULL,
    -- While the call runs; NULL when it is done.
    busy_until BIGINT,
    session_id TEXT,
    reply BYTEA,
    expires_at BIGINT NOT NULL
);

CREATE INDEX idempotent_calls_session ON idempotent_calls (session_id);
CREATE INDEX idempotent_calls_expiry ON idempotent_calls (expires_at);

-- When each account is looked at next, and whom that asks (a provider, or a provider and a host): whoever looks takes the
-- due ones of one lane. To which of our clients it was granted, so that another client's grants are found. The rest of
-- what is known from looking is JSON.
ALTER TABLE accounts ADD COLUMN check_lane TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN check_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN client TEXT;
ALTER TABLE accounts ADD COLUMN watch TEXT NOT NULL DEFAULT '{}';

CREATE INDEX accounts_check ON accounts (check_lane, check_at);
CREATE INDEX accounts_busy ON accounts (busy_until);

-- Security events that were taken, by a hash of who sent them under which id: each counts once.
CREATE TABLE security_events (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);

CREATE INDEX security_events_at ON security_events (at);

-- Endpoints that stand by themselves beside those that live with a session. A change raises the version that the
-- target is sealed under.
ALTER TABLE endpoints ADD COLUMN state TEXT NOT NULL DEFAULT 'enabled';
ALTER TABLE endpoints ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
-- Numbers the test events of the endpoint itself.
ALTER TABLE endpoints ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
-- 1: it hears only of the accounts below, also when none of them is left.
ALTER TABLE endpoints ADD COLUMN some_accounts BIGINT NOT NULL DEFAULT 0;

CREATE TABLE endpoint_accounts (
    endpoint_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, account_id)
);

-- What was known of an account when it was deleted: whoever is told of it later can be told whose it was.
ALTER TABLE events ADD COLUMN details BYTEA;

-- How many tries came before a delivery was last sent on its way: the schedule counts from there.
ALTER TABLE deliveries ADD COLUMN tried_before BIGINT NOT NULL DEFAULT 0;

-- In the order in which a lane's deliveries are claimed, so that the next few are found without sorting the rest.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (state, lane, due_at, id);
CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id, id);
CREATE INDEX deliveries_subject ON deliveries (subject, id);

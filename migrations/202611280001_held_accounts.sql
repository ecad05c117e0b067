-- Few accounts are held at a time: only those are in this index. One over all of them was written to twice by each look, at
-- a place that nothing else reads, which cost more the more accounts there were.
DROP INDEX accounts_busy;

CREATE INDEX accounts_held ON accounts (busy_until) WHERE busy_until > 0;

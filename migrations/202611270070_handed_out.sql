-- Since when a backend has an account's session where only one may be connected with it: it is not looked at meanwhile.
ALTER TABLE accounts ADD COLUMN handed_out_at BIGINT;

-- Grants that a sign-in which is not over may still make an account of: by that attempt. Until it ends they are not due.
ALTER TABLE releases ADD COLUMN held_by TEXT;

CREATE INDEX releases_held ON releases (held_by);

-- The mark of an account's own grant, where each ends alone; and of the grant that waits to repair one.
ALTER TABLE accounts ADD COLUMN grant_mark TEXT;
ALTER TABLE finishes ADD COLUMN grant_mark TEXT;

CREATE INDEX accounts_grant ON accounts (grant_mark);

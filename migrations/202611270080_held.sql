-- Grants that a sign-in which is not over may still make an account of: by that attempt. Until it ends they are not due.
ALTER TABLE releases ADD COLUMN held_by TEXT;

CREATE INDEX releases_held ON releases (held_by);

-- What was parked is found by its age, to be forgotten.
CREATE INDEX returns_parked ON returns (parked_at);

-- An event is told to an endpoint under one id, also where two replays made a delivery of it at the same moment.
DELETE FROM delivery_tries WHERE delivery_id IN (SELECT d.id FROM deliveries d JOIN deliveries e
    ON e.event_id = d.event_id AND e.endpoint_id = d.endpoint_id WHERE e.id < d.id);
DELETE FROM deliveries WHERE id IN (SELECT d.id FROM deliveries d JOIN deliveries e
    ON e.event_id = d.event_id AND e.endpoint_id = d.endpoint_id WHERE e.id < d.id);
DROP INDEX deliveries_event;
CREATE UNIQUE INDEX deliveries_event ON deliveries (event_id, endpoint_id);

-- Sessions are listed by name, newest first.
CREATE INDEX sessions_name ON sessions (name_mark, id);

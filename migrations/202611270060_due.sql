-- What is due is found by its time, over all lanes, whatever their number.
CREATE INDEX accounts_due ON accounts (check_at, check_lane);

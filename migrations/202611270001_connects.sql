-- How many connections a session's person had made to hosts of their choice.
ALTER TABLE sessions ADD COLUMN connects BIGINT NOT NULL DEFAULT 0;

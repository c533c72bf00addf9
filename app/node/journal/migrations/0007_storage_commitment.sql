-- Storage commitment (PS3.4, J): by which transaction a destination was asked for an object, and when.
ALTER TABLE delivery ADD COLUMN commit_uid VARCHAR(64);          -- of the last request
ALTER TABLE delivery ADD COLUMN commit_asked_at DOUBLE PRECISION; -- when the destination took it
CREATE INDEX delivery_commit ON delivery (commit_uid);

-- What is known of a destination beside the circuit breaker: every failure, what was observed.
ALTER TABLE destination ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;   -- since it is known
ALTER TABLE destination ADD COLUMN confirmed_by VARCHAR(16) NOT NULL DEFAULT ''; -- last confirmation: c_find, c_store
ALTER TABLE destination ADD COLUMN confirmed_at DOUBLE PRECISION;
ALTER TABLE destination ADD COLUMN echo_at DOUBLE PRECISION;             -- last C-ECHO that a person asked for
ALTER TABLE destination ADD COLUMN echo_error VARCHAR(64) NOT NULL DEFAULT '';   -- empty: it was answered

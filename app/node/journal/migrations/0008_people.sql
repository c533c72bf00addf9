-- Who may use the page, who is logged in, and an audit trail of which no row can be changed unseen.
CREATE TABLE account (
    name        VARCHAR(64) PRIMARY KEY,
    kind        VARCHAR(16) NOT NULL,          -- person: logs in by a password; program: sends a token
    role        VARCHAR(16) NOT NULL,
    secret      VARCHAR(256) NOT NULL,         -- Argon2id hash of the password, or SHA-256 of the token
    is_disabled INTEGER NOT NULL DEFAULT 0,
    made_at     DOUBLE PRECISION NOT NULL,
    changed_at  DOUBLE PRECISION NOT NULL,     -- role, secret or state
    seen_at     DOUBLE PRECISION               -- last log-in; a program: last day on which it came
);
CREATE INDEX account_secret ON account (secret);

CREATE TABLE page_session (
    digest   VARCHAR(64) PRIMARY KEY,          -- SHA-256 of what the cookie says
    name     VARCHAR(64) NOT NULL,
    way      VARCHAR(16) NOT NULL,             -- password, openid
    role     VARCHAR(16) NOT NULL,             -- as the provider said; of an account its own counts
    began_at DOUBLE PRECISION NOT NULL,
    seen_at  DOUBLE PRECISION NOT NULL
);
CREATE INDEX page_session_name ON page_session (name);

CREATE TABLE failed_log_in (
    kind         VARCHAR(16) NOT NULL,         -- account, address
    subject      VARCHAR(64) NOT NULL,         -- of an account the keyed digest: people type passwords there
    failures     INTEGER NOT NULL,
    last_at      DOUBLE PRECISION NOT NULL,
    locked_until DOUBLE PRECISION,
    PRIMARY KEY (kind, subject)
);

ALTER TABLE audit ADD COLUMN number BIGINT;    -- place in the chain; NULL: older than the chain
ALTER TABLE audit ADD COLUMN role VARCHAR(16);
ALTER TABLE audit ADD COLUMN address VARCHAR(64);
ALTER TABLE audit ADD COLUMN digest VARCHAR(64); -- SHA-256 of the row and the digest of the one before
CREATE UNIQUE INDEX audit_number ON audit (number);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_subject ON audit (subject, at);

CREATE TABLE audit_place (
    name   VARCHAR(32) PRIMARY KEY,            -- end: of the chain; sent: what the audit server was told
    number BIGINT NOT NULL,
    digest VARCHAR(64) NOT NULL
);

-- What a person has seen, who connected, and what alerts have been told. Portable SQL.

-- What a person looked at and dismissed. The stamp is that of the occurrence: another failure of
-- the same thing has another stamp and counts again.
CREATE TABLE acknowledgement (
  kind    VARCHAR(32) NOT NULL,                -- app.node.journal.attention.KINDS
  subject VARCHAR(128) NOT NULL,               -- id of the job, path of the object, name of the destination or process
  stamp   DOUBLE PRECISION NOT NULL,
  at      DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (kind, subject)
);

-- One row per association that brought objects; like ones without objects are one row per minute.
CREATE TABLE association (
  association_id    VARCHAR(64) NOT NULL PRIMARY KEY,
  began_at          DOUBLE PRECISION NOT NULL,
  ended_at          DOUBLE PRECISION NOT NULL,
  calling_ae_title  VARCHAR(16) NOT NULL,
  called_ae_title   VARCHAR(16) NOT NULL,
  peer_address      VARCHAR(64) NOT NULL,
  outcome           VARCHAR(48) NOT NULL,      -- released, broken_off, nothing_accepted, or why it was refused
  accepted_contexts INTEGER NOT NULL DEFAULT 0,
  rejected_contexts TEXT NOT NULL DEFAULT '[]', -- JSON: SOP class, its name, why
  objects           INTEGER NOT NULL DEFAULT 0,
  statuses          TEXT NOT NULL DEFAULT '{}', -- JSON: DIMSE status -> number
  repeats           INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX association_by_age ON association (began_at);

-- What every alert channel has told last, and how sending fares.
CREATE TABLE alert_channel (
  name            VARCHAR(16) NOT NULL PRIMARY KEY, -- mail, webhook
  version         INTEGER NOT NULL DEFAULT 0,       -- raised by whoever takes the next message
  told            TEXT NOT NULL DEFAULT '{}',       -- JSON: kind -> number and time
  sent_at         DOUBLE PRECISION,
  next_attempt_at DOUBLE PRECISION,
  failures        INTEGER NOT NULL DEFAULT 0,
  failing_since   DOUBLE PRECISION,
  last_error      VARCHAR(64) NOT NULL DEFAULT ''
);

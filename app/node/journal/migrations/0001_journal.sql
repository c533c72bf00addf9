-- The journal. Portable SQL: SQLite and PostgreSQL. Times are seconds since the epoch (UTC).

-- Every object that was acknowledged. The same SOP Instance UID with other bytes is another row.
CREATE TABLE instance (
  sop_instance_uid    VARCHAR(64) NOT NULL,
  digest              VARCHAR(64) NOT NULL,   -- SHA-256 of the data set's bytes as received
  series_uid          VARCHAR(64) NOT NULL,
  study_uid           VARCHAR(64) NOT NULL,
  sop_class_uid       VARCHAR(64) NOT NULL,
  transfer_syntax_uid VARCHAR(64) NOT NULL,
  path                VARCHAR(512) NOT NULL,  -- relative to the spool
  size_bytes          BIGINT NOT NULL,
  calling_ae_title    VARCHAR(16) NOT NULL,
  called_ae_title     VARCHAR(16) NOT NULL,
  peer_address        VARCHAR(64) NOT NULL,
  association_id      VARCHAR(64) NOT NULL,
  received_at         DOUBLE PRECISION NOT NULL,
  state               VARCHAR(16) NOT NULL,   -- InstanceState
  facts               TEXT NOT NULL,          -- JSON: what completeness needs (ArrivalFacts)
  PRIMARY KEY (sop_instance_uid, digest)
);
CREATE INDEX instance_by_series ON instance (series_uid, received_at);
CREATE INDEX instance_by_study ON instance (study_uid);
CREATE INDEX instance_in_quarantine ON instance (received_at) WHERE state = 'quarantined';

-- One row per series that ever arrived.
CREATE TABLE series (
  series_uid        VARCHAR(64) NOT NULL PRIMARY KEY,
  study_uid         VARCHAR(64) NOT NULL,
  state             VARCHAR(16) NOT NULL,     -- SeriesState
  revision          INTEGER NOT NULL,         -- raised when objects arrive after a job was made
  calling_ae_title  VARCHAR(16) NOT NULL,
  called_ae_title   VARCHAR(16) NOT NULL,
  first_instance_at DOUBLE PRECISION NOT NULL,
  last_instance_at  DOUBLE PRECISION NOT NULL, -- last new object
  last_activity_at  DOUBLE PRECISION NOT NULL, -- last object (new or repeated) or end of association
  open_associations INTEGER NOT NULL DEFAULT 0, -- informative; a crashed listener resets it to 0
  expected_count    INTEGER,                  -- proven number of instances, null: unknown
  expected_source   VARCHAR(32),              -- header, c_find, enhanced, forced
  completeness      TEXT NOT NULL DEFAULT '{}', -- JSON: verdict and reasons (Readiness)
  decision          TEXT NOT NULL DEFAULT '{}', -- JSON: selection's answer with all reasons
  description       TEXT NOT NULL DEFAULT '',   -- for the page behind the node's door, never for logs
  modality          VARCHAR(16) NOT NULL DEFAULT '',
  is_broken_off     INTEGER NOT NULL DEFAULT 0, -- the last association with objects ended without release
  is_forced         INTEGER NOT NULL DEFAULT 0  -- a person said: run it as it is
);
CREATE INDEX series_by_state ON series (state, last_activity_at);
CREATE INDEX series_by_study ON series (study_uid);

-- One row per piece of work: one series, one content, one set of models and parameters.
CREATE TABLE job (
  job_id             VARCHAR(64) NOT NULL PRIMARY KEY, -- hash of series, content, models, parameters
  series_uid         VARCHAR(64) NOT NULL,
  study_uid          VARCHAR(64) NOT NULL,
  revision           INTEGER NOT NULL,
  predecessor_job_id VARCHAR(64),
  content_digest     VARCHAR(64) NOT NULL,
  state              VARCHAR(16) NOT NULL,     -- JobState
  priority           INTEGER NOT NULL,         -- lower first: urgent 10, normal 50, batch 90
  run_number         INTEGER NOT NULL DEFAULT 1, -- raised by every replay; part of the engine's id
  attempts           INTEGER NOT NULL DEFAULT 0, -- of this run, failures that were the job's own
  created_at         DOUBLE PRECISION NOT NULL,
  clock              DOUBLE PRECISION NOT NULL, -- time written into results: that of the first attempt
  started_at         DOUBLE PRECISION,
  finished_at        DOUBLE PRECISION,
  worker_id          VARCHAR(128),
  step               VARCHAR(32) NOT NULL DEFAULT '',
  fraction           DOUBLE PRECISION NOT NULL DEFAULT 0,
  cancel_requested   INTEGER NOT NULL DEFAULT 0,
  error_code         VARCHAR(16),
  error_message      TEXT,
  record             TEXT NOT NULL DEFAULT '{}' -- JSON: app.run.record.ResultRecord
);
CREATE INDEX job_by_state ON job (state, priority, created_at);
CREATE INDEX job_by_series ON job (series_uid);
CREATE INDEX job_by_age ON job (created_at);
CREATE INDEX job_by_end ON job (finished_at);

-- Which objects a job works on, fixed when it was made.
CREATE TABLE job_input (
  job_id           VARCHAR(64) NOT NULL,
  sop_instance_uid VARCHAR(64) NOT NULL,
  digest           VARCHAR(64) NOT NULL,
  PRIMARY KEY (job_id, sop_instance_uid)
);

-- Files a job made.
CREATE TABLE result (
  job_id           VARCHAR(64) NOT NULL,
  name             VARCHAR(255) NOT NULL,      -- file name within the job's result folder
  kind             VARCHAR(16) NOT NULL,       -- segmentation, overlay
  path             VARCHAR(512) NOT NULL,      -- relative to the data folder
  digest           VARCHAR(64) NOT NULL,       -- SHA-256 of the file
  size_bytes       BIGINT NOT NULL,
  sop_class_uid    VARCHAR(64) NOT NULL DEFAULT '',
  sop_instance_uid VARCHAR(64) NOT NULL DEFAULT '',
  series_uid       VARCHAR(64) NOT NULL DEFAULT '',
  PRIMARY KEY (job_id, name)
);
CREATE INDEX result_by_sop ON result (sop_instance_uid);
CREATE INDEX result_by_series ON result (series_uid);

-- One row per object and destination.
CREATE TABLE delivery (
  delivery_id      VARCHAR(64) NOT NULL PRIMARY KEY, -- hash of object and destination
  job_id           VARCHAR(64) NOT NULL,
  sop_instance_uid VARCHAR(64) NOT NULL,
  destination      VARCHAR(32) NOT NULL,
  state            VARCHAR(16) NOT NULL,       -- DeliveryState
  generation       INTEGER NOT NULL DEFAULT 1, -- raised by every resend; part of the engine's id
  attempts         INTEGER NOT NULL DEFAULT 0,
  created_at       DOUBLE PRECISION NOT NULL,
  released_at      DOUBLE PRECISION,
  next_attempt_at  DOUBLE PRECISION,
  sent_at          DOUBLE PRECISION,
  delivered_at     DOUBLE PRECISION,
  confirmed_by     VARCHAR(16) NOT NULL DEFAULT '', -- c_find, c_store (peer offers no C-FIND)
  last_status      INTEGER,                    -- DIMSE status of the last C-STORE
  last_error       VARCHAR(64) NOT NULL DEFAULT ''
);
CREATE INDEX delivery_by_state ON delivery (state, destination);
CREATE INDEX delivery_by_job ON delivery (job_id);
CREATE INDEX delivery_by_age ON delivery (created_at);

-- The state of every destination, for the circuit breaker and the page.
CREATE TABLE destination (
  name                 VARCHAR(32) NOT NULL PRIMARY KEY,
  consecutive_failures INTEGER NOT NULL DEFAULT 0,
  open_until           DOUBLE PRECISION,
  last_success_at      DOUBLE PRECISION,
  last_failure_at      DOUBLE PRECISION,
  last_error           VARCHAR(64) NOT NULL DEFAULT ''
);

-- Counters of the listener: every object offered is stored, duplicate or refused.
CREATE TABLE counter (
  name  VARCHAR(64) NOT NULL,
  label VARCHAR(64) NOT NULL,
  value BIGINT NOT NULL,
  PRIMARY KEY (name, label)
);

-- What a person did (retry, force, discard, release, resend, cancel). Append only.
CREATE TABLE audit (
  audit_id   VARCHAR(32) NOT NULL PRIMARY KEY,
  at         DOUBLE PRECISION NOT NULL,
  actor      VARCHAR(64) NOT NULL,
  action     VARCHAR(32) NOT NULL,
  subject    VARCHAR(64) NOT NULL,
  detail     TEXT NOT NULL DEFAULT ''
);

-- Heartbeats of workers (the engine's executors) and of the listener and the page.
CREATE TABLE process (
  process_id VARCHAR(128) NOT NULL PRIMARY KEY,
  role       VARCHAR(16) NOT NULL,             -- worker, listener, web
  beat       DOUBLE PRECISION NOT NULL,
  detail     TEXT NOT NULL DEFAULT '{}'        -- JSON: profile, models, pid
);

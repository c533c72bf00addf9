-- Finding a study again. What identifies a patient stands in a table of its own, which a site may
-- switch off and whose rows go after a while; everything else of a study stays without it.
CREATE TABLE study (
  study_uid          VARCHAR(64) NOT NULL PRIMARY KEY,
  arrived_at         DOUBLE PRECISION NOT NULL,   -- begin of the last association that sent it
  calling_ae_title   VARCHAR(16) NOT NULL,        -- of that association
  patient_changed_at DOUBLE PRECISION             -- when it came with another patient's attributes
);
CREATE INDEX study_by_arrival ON study (arrived_at, study_uid);
CREATE INDEX study_with_another_patient ON study (patient_changed_at);

CREATE TABLE patient (
  study_uid         VARCHAR(64) NOT NULL PRIMARY KEY,
  patient_name      VARCHAR(256) NOT NULL,        -- PN as received, decoded
  name_key          VARCHAR(512) NOT NULL,        -- of its component groups, for the search
  patient_id        VARCHAR(64) NOT NULL,
  birth_date        VARCHAR(8) NOT NULL,          -- YYYYMMDD
  accession_number  VARCHAR(64) NOT NULL,
  study_date        VARCHAR(8) NOT NULL,          -- YYYYMMDD
  study_description VARCHAR(64) NOT NULL
);
CREATE INDEX patient_by_id ON patient (patient_id);
CREATE INDEX patient_by_accession ON patient (accession_number);
CREATE INDEX job_by_study ON job (study_uid);
CREATE INDEX job_that_replaces ON job (predecessor_job_id);

INSERT INTO study (study_uid, arrived_at, calling_ae_title)
  SELECT study_uid, MAX(last_activity_at), MAX(calling_ae_title) FROM series GROUP BY study_uid;

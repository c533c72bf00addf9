-- What a person said about the levels of the vertebrae in one content of a series. Append only; the
-- last one counts, in every later run of that content.
CREATE TABLE level_correction (
  series_uid     VARCHAR(64) NOT NULL,
  content_digest VARCHAR(64) NOT NULL,
  number         INTEGER NOT NULL,             -- from 1
  at             DOUBLE PRECISION NOT NULL,
  actor          VARCHAR(64) NOT NULL,
  job_id         VARCHAR(64) NOT NULL,         -- whose result the person saw
  named          TEXT NOT NULL,                -- JSON: list of NamedVertebra; empty: withdrawn
  PRIMARY KEY (series_uid, content_digest, number)
);

-- What other series of the study showed when a content first ran (number 0), and each time when it
-- had to be named anew because of them. The last one counts, in every later run of that content.
CREATE TABLE level_neighbours (
  series_uid     VARCHAR(64) NOT NULL,
  content_digest VARCHAR(64) NOT NULL,
  number         INTEGER NOT NULL,
  at             DOUBLE PRECISION NOT NULL,
  stations       TEXT NOT NULL,                -- JSON: list of operators.spine.level_stations.Station
  PRIMARY KEY (series_uid, content_digest, number)
);

"""How long the reads of the page take over the journal of a busy year, on SQLite.

``python -m tests.benchmarks.journal_reads``: 30,000 series, 450,000 objects, 7,500 jobs, 15,000
deliveries; the median of 9 reads, ms.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from app.node.journal import overview, tallies
from app.node.journal.attention import Circumstances, list_found, read_attention
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.rows import Window
from app.node.journal.studies import find_studies
from app.node.journal.study_rows import Place, Wanted
from app.node.journal.tables import DELIVERY, INSTANCE, JOB, PATIENT, SERIES, STUDY
from tests.builders.filled_journal import RECORD, WHOLE
from tests.builders.journal_rows import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

SERIES_COUNT = 30_000
OBJECTS_PER_SERIES = 15
SERIES_PER_JOB = 4
BATCH = 2000
REPEATS = 9

READS: dict[str, Callable[[Connection], object]] = {
    "arrivals, 50 studies": lambda c: overview.list_series(c, Window()),
    "jobs, 50 of all": lambda c: overview.list_jobs(c, Window()),
    "jobs, 50 that failed": lambda c: overview.list_jobs(c, Window(states=("dead",))),
    "deliveries, 50 of all": lambda c: overview.list_deliveries(c, Window()),
    "attention": lambda c: read_attention(c, Circumstances()),
    "quarantine": lambda c: list_found(c, "object_quarantined", limit=50),
    "counts for metrics": tallies.read_tallies,
    "studies, 25 of all": lambda c: find_studies(c, Wanted(), limit=25),
    "studies, the last 25": lambda c: find_studies(
        c, Wanted(), limit=25, place=Place(arrived_at=26.0, study_uid="")
    ),
    "studies, by a name that none has": lambda c: find_studies(
        c, Wanted(name="*nobody*"), limit=25
    ),
    "studies, by ID": lambda c: find_studies(c, Wanted(patient_id="P17"), limit=25),
    "studies, in a state that none has": lambda c: find_studies(
        c, Wanted(state="working"), limit=25
    ),
}


_STUDY = {"calling_ae_title": "SCANNER"}


def fill(engine: Engine) -> None:
    """Write the rows."""
    record, completeness = json.dumps(RECORD.as_dict()), json.dumps(WHOLE.as_json())
    with transaction(engine) as c:
        for first in range(0, SERIES_COUNT, BATCH):
            numbers = range(first, first + BATCH)
            c.execute(
                SERIES.insert(),
                [
                    DEFAULTS["series"]
                    | {"series_uid": f"s{n}", "study_uid": f"u{n // SERIES_PER_JOB}"}
                    | {"state": "accepted" if n % SERIES_PER_JOB == 0 else "rejected"}
                    | {"last_activity_at": n, "completeness": completeness}
                    for n in numbers
                ],
            )
            c.execute(
                INSTANCE.insert(),
                [
                    DEFAULTS["instance"] | {"sop_instance_uid": f"s{n}.{k}", "series_uid": f"s{n}"}
                    for n in numbers
                    for k in range(OBJECTS_PER_SERIES)
                ],
            )
        done = {"state": "succeeded", "record": record}
        jobs = range(SERIES_COUNT // SERIES_PER_JOB)
        c.execute(
            JOB.insert(),
            [
                DEFAULTS["job"]
                | done
                | {"job_id": f"j{n}", "study_uid": f"u{n}", "series_uid": f"s{n * SERIES_PER_JOB}"}
                | {"created_at": n, "finished_at": n}
                for n in jobs
            ],
        )
        c.execute(STUDY.insert(), [_STUDY | {"study_uid": f"u{n}", "arrived_at": n} for n in jobs])
        c.execute(
            PATIENT.insert(),
            [
                DEFAULTS["patient"]
                | {"study_uid": f"u{n}", "patient_id": f"P{n}", "name_key": f"=doe {n}"}
                for n in jobs
            ],
        )
        sent = DEFAULTS["delivery"] | {"state": "delivered"}
        c.execute(
            DELIVERY.insert(),
            [
                sent | {"delivery_id": f"d{n}.{k}", "job_id": f"j{n}", "created_at": n}
                for n in jobs
                for k in range(2)
            ],
        )


def main() -> None:
    """Fill, read, tell."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_journal(journal_url(Path(folder), None))
        fill(engine)
        for name, read in READS.items():
            times = []
            for _ in range(REPEATS):
                with reading(engine) as connection:
                    start = time.perf_counter()
                    read(connection)
                    times.append(1000 * (time.perf_counter() - start))
            sys.stdout.write(f"{name:36s} {statistics.median(times):7.1f} ms\n")
        engine.dispose()


if __name__ == "__main__":
    main()

"""A published cohort with stand-in networks, without its engine."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from app.cohort.cases import CohortCase
from app.cohort.conduct import extras_of
from app.cohort.discovery import cases_of, open_dataset
from app.cohort.folder import CohortFolder
from app.cohort.publishing import RUN_RECORD, publish
from app.cohort.sidecars import describe_folder
from app.run.execute import Job, execute
from app.settings import load_settings
from tests.builders.stub_models import stub_bundle

CLOCK = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def run(source: Path | tuple[Path, ...], output: Path, *, nifti: bool = False) -> dict:
    job = Job(
        source=source,
        output=output,
        started=CLOCK,
        extras=frozenset(extras_of(load_settings())),
        nifti=nifti,
    )
    return json.loads(json.dumps(execute(job, stub_bundle()).as_dict()))


def publish_all(root: Path, output: Path) -> tuple[CohortFolder, list[CohortCase]]:
    """What the workflow does with every case."""
    dataset = open_dataset(root, output, "auto")
    folder, cases = CohortFolder(dataset.output), list(cases_of(dataset))
    for case in cases:
        places = []
        for number, source in enumerate(case.sources):
            place = folder.work_of(case.case_id) / str(number)
            record = run(source.below(root), place, nifti=True)
            place.mkdir(parents=True, exist_ok=True)
            (place / RUN_RECORD).write_text(json.dumps(record))
            places.append(place)
        publish(folder, case, places)
    describe_folder(folder, root)
    return folder, cases

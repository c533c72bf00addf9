"""What a call begins with: the plan, and the processes with their networks."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from app.cohort import conduct
from app.cohort.cases import CohortCase
from app.cohort.discovery import cases_of, open_dataset
from app.cohort.folder import CohortFolder
from app.cohort.processes import close, load, supervisors_of
from app.cohort.publishing import RUN_RECORD, publish
from app.errors import InferenceLostError
from app.run.record import ErrorRecord, ResultRecord
from app.settings import load_settings
from operators.errors import InterruptedRunError, SpineError, UnreadableInputError


@pytest.fixture
def planned(tmp_path: Path) -> tuple[CohortFolder, list[CohortCase]]:
    for name in ("sub-1", "sub-2", "sub-3"):
        path = tmp_path / "data" / name / f"{name}_T2w.nii.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"image")
    dataset = open_dataset(tmp_path / "data", tmp_path / "out", "auto")
    return CohortFolder(dataset.output), list(cases_of(dataset))


def fail(folder: CohortFolder, case: CohortCase, error: SpineError) -> None:
    """Publish a case whose only run ended with an error."""
    place = folder.work_of(case.case_id) / "0"
    place.mkdir(parents=True)
    record = ResultRecord(status="failed", exit_code=1, error=ErrorRecord.of(error))
    (place / RUN_RECORD).write_text(json.dumps(record.as_dict()))
    publish(folder, case, [place])


def test_what_failed_by_itself_stays_and_what_lost_its_process_begins_anew_when_asked(
    planned: tuple[CohortFolder, list[CohortCase]],
) -> None:
    folder, cases = planned
    spoiled, lost, untouched = cases
    fail(folder, spoiled, UnreadableInputError("no image", reasons=("unreadable_nifti",)))
    fail(folder, lost, InferenceLostError("killed", reasons=("memory",)))
    ledger = conduct._plan(folder, cases, retry_lost=False)
    assert list(ledger.open) == [untouched.case_id]
    assert ledger.failed == {spoiled.case_id, lost.case_id}
    again = conduct._plan(folder, cases, retry_lost=True)
    assert list(again.open) == [lost.case_id, untouched.case_id]
    assert list(again.cases(folder)) == cases


def test_a_case_of_the_same_name_and_other_files_is_not_done(
    planned: tuple[CohortFolder, list[CohortCase]],
) -> None:
    folder, (case, *_) = planned
    fail(folder, case, UnreadableInputError("no image"))
    assert folder.published(case) is not None
    assert folder.published(replace(case, case_id="of other files")) is None


def test_reading_a_data_set_ends_when_it_is_told_to(tmp_path: Path) -> None:
    stop = Event()
    check = conduct.checking(stop)
    check()
    stop.set()
    with pytest.raises(InterruptedRunError):
        check()


def test_networks_that_do_not_load_end_the_cohort_before_its_first_case() -> None:
    supervisors = supervisors_of(load_settings(), 2, ("/bin/false",))
    try:
        with pytest.raises(InferenceLostError) as lost:
            load(supervisors, Event())
    finally:
        close(supervisors)
    assert lost.value.message.startswith("the networks cannot be loaded")
    assert "start" in lost.value.reasons


@pytest.mark.parametrize(
    ("workers", "configured", "threads"),
    [(1, 0, 0), (2, 0, max(1, (os.cpu_count() or 1) // 2)), (2, 5, 5)],
)
def test_processes_share_the_cores_unless_the_site_says_otherwise(
    workers: int, configured: int, threads: int
) -> None:
    settings = load_settings()
    inference = settings.inference.model_copy(update={"threads": configured})
    made = supervisors_of(settings.model_copy(update={"inference": inference}), workers)
    try:
        assert len(made) == workers
        told = [json.loads(word) for word in made[0]._command if word.startswith('{"device"')]
        assert [one["threads"] for one in told] == [threads]
    finally:
        close(made)

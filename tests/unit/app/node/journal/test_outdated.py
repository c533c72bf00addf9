"""Objects at a destination become a person's task when a later result or patient outdates them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.journal import attention
from app.node.journal.attention import Circumstances, list_found, read_attention
from app.node.journal.engine import reading, transaction
from app.node.journal.overview import find_delivery
from app.node.journal.tables import JOB_INPUT, STUDY
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal

SUPERSEDED, WRONG = "delivery_superseded", "delivery_wrong_patient"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Engine]:
    """A delivered and a held object of one job, made of images that came at 5 and 6."""
    engine = empty_journal(tmp_path)
    with transaction(engine) as c:
        insert(c, "study", arrived_at=5.0)
        insert(c, "job", job_id="old", state="succeeded", created_at=10.0, finished_at=20.0)
        insert(c, "delivery", delivery_id="there", job_id="old", state="delivered")
        insert(
            c, "delivery", delivery_id="here", job_id="old", state="held", destination="research"
        )
        work_on(c, "old", 5.0, 6.0)
    yield engine
    engine.dispose()


def work_on(c, job_id: str, *received_at: float) -> None:
    for number, at in enumerate(received_at):
        uid, digest = f"9.{number}", f"{job_id}{at}"
        insert(c, "instance", sop_instance_uid=uid, digest=digest, received_at=at)
        c.execute(JOB_INPUT.insert().values(job_id=job_id, sop_instance_uid=uid, digest=digest))


def follow(journal: Engine, *received_at: float, state: str = "succeeded") -> None:
    with transaction(journal) as c:
        insert(
            c, "job", job_id="new", state=state, created_at=30.0, finished_at=40.0, revision=2,
            predecessor_job_id="old",
        )  # fmt: skip
        insert(c, "delivery", delivery_id="fresh", job_id="new", state="delivered")
        work_on(c, "new", *received_at)


def change_patient(journal: Engine, at: float) -> None:
    with transaction(journal) as c:
        c.execute(STUDY.update().values(patient_changed_at=at))


def found(journal: Engine) -> dict[str, list[tuple[str, float | None]]]:
    with reading(journal) as c:
        rows = read_attention(c, Circumstances())
        told = {kind: list_found(c, kind, limit=9) for kind in (SUPERSEDED, WRONG)}
    counts = {row.kind: row.count for row in rows if row.kind in told}
    assert counts == {kind: len(of_kind) for kind, of_kind in told.items()}
    return {kind: [(one.subject, one.since) for one in told[kind]] for kind in told}


def test_a_delivered_object_that_a_later_result_replaces_is_a_task_until_it_was_seen(
    journal: Engine,
):
    assert found(journal) == {SUPERSEDED: [], WRONG: []}
    follow(journal, 25.0, 26.0)
    assert found(journal) == {SUPERSEDED: [("there", 40.0)], WRONG: []}
    with transaction(journal) as c:
        assert attention.acknowledge(c, SUPERSEDED, 50.0, subject="there", until=None) == 1
    assert found(journal)[SUPERSEDED] == []


@pytest.mark.parametrize("state", ["running", "dead", "refused", "cancelled"])
def test_a_later_run_without_results_outdates_nothing(journal: Engine, state: str):
    follow(journal, 25.0, state=state)
    assert found(journal) == {SUPERSEDED: [], WRONG: []}


def test_what_was_sent_under_another_patient_is_an_alarm_at_once(journal: Engine):
    change_patient(journal, 22.0)
    assert found(journal) == {SUPERSEDED: [], WRONG: [("there", 22.0)]}
    follow(journal, 22.0, 23.0)
    assert found(journal) == {SUPERSEDED: [], WRONG: [("there", 22.0)]}
    with reading(journal) as c:
        rows = [find_delivery(c, one) for one in ("there", "here", "fresh")]
    assert [row.is_of_another_patient for row in rows if row] == [True, True, False]


def test_a_result_of_images_of_both_patients_is_wrong_too(journal: Engine):
    change_patient(journal, 22.0)
    follow(journal, 6.5, 22.0)
    assert [name for name, _ in found(journal)[WRONG]] == ["fresh", "there"]


def test_another_change_of_the_patient_counts_anew(journal: Engine):
    change_patient(journal, 22.0)
    with transaction(journal) as c:
        assert attention.acknowledge(c, WRONG, 23.0, subject=None, until=22.0) == 1
    assert found(journal)[WRONG] == []
    change_patient(journal, 30.0)
    assert found(journal)[WRONG] == [("there", 30.0)]


def test_a_change_before_all_images_came_concerns_no_result(journal: Engine):
    change_patient(journal, 4.0)
    assert found(journal)[WRONG] == []

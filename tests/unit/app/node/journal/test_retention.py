"""What may be deleted: never what unfinished work or an unconfirmed delivery still needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.node.journal import retention
from app.node.journal.engine import transaction
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.journal.tables import JOB, RESULT, SERIES
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal

OLD, LATER = 10.0, 100.0
NEEDED_JOBS = {JobState.WAITING, JobState.QUEUED, JobState.RUNNING, JobState.DEAD}
OVER = {DeliveryState.DELIVERED, DeliveryState.DISCARDED, DeliveryState.DECLINED}


@pytest.fixture
def c(tmp_path: Path) -> Iterator[Connection]:
    """One old series with an object and a finished job whose only result is delivered."""
    engine = empty_journal(tmp_path)
    with transaction(engine) as connection:
        insert(
            connection,
            "series",
            state="accepted",
            last_activity_at=OLD,
            description="T2 sag",
            decision='{"accepted": true}',
        )
        insert(connection, "instance", received_at=OLD)
        insert(connection, "job", state="succeeded", finished_at=OLD, record='{"exit_code": 0}')
        insert(connection, "result")
        insert(connection, "delivery", state="delivered")
        yield connection
    engine.dispose()


def series(c: Connection, before: float = LATER) -> list[str]:
    return retention.expired_series(c, SeriesState.ACCEPTED, before, 10)


def test_a_series_that_nothing_needs_goes_when_it_is_old_enough(c: Connection):
    assert series(c) == ["1.2.3.1"]
    assert series(c, before=OLD) == []
    assert retention.expired_series(c, SeriesState.REJECTED, LATER, 10) == []
    assert retention.expired_series(c, SeriesState.ACCEPTED, LATER, 0) == []


@pytest.mark.parametrize("state", JobState)
def test_its_images_stay_while_a_job_may_need_them(c: Connection, state: JobState):
    c.execute(sa.update(JOB).values(state=state))
    assert series(c) == ([] if state in NEEDED_JOBS else ["1.2.3.1"])


@pytest.mark.parametrize("state", DeliveryState)
def test_images_and_results_stay_while_a_delivery_is_open(c: Connection, state: DeliveryState):
    insert(c, "delivery", delivery_id="d2", destination="archive", state=state)
    assert series(c) == (["1.2.3.1"] if state in OVER else [])
    assert retention.expired_results(c, LATER, 10) == (["j1"] if state in OVER else [])


def test_what_is_deleted_is_remembered_and_not_found_again(c: Connection):
    paths = retention.paths_of_series(c, "1.2.3.1")
    assert paths == ["series/aa/bb/cc.dcm"]
    retention.mark_deleted(c, paths)
    assert retention.paths_of_series(c, "1.2.3.1") == []
    assert series(c) == []


def test_texts_are_forgotten_and_what_keeps_work_from_being_done_twice_stays(c: Connection):
    assert retention.forget_texts(c, LATER, 10) == 1
    row = c.execute(sa.select(SERIES)).one()
    assert (row.description, row.decision, row.completeness) == ("", "{}", "{}")
    assert (row.state, row.last_activity_at) == ("accepted", OLD)
    job = c.execute(sa.select(JOB)).one()
    assert (job.record, job.state, job.content_digest) == ("{}", "succeeded", "c" * 64)
    assert retention.forget_texts(c, LATER, 10) == 0


@pytest.mark.parametrize("state", ["receiving", "held"])
def test_texts_of_a_series_that_may_go_on_stay(c: Connection, state: str):
    c.execute(sa.update(SERIES).values(state=state))
    assert retention.forget_texts(c, LATER, 10) == 0


def test_an_object_of_no_series_goes_by_its_own_age(c: Connection):
    stray = {"sop_instance_uid": "1.9", "series_uid": "", "state": "quarantined"}
    insert(c, "instance", received_at=OLD, path="q/1.dcm", digest="1" * 64, **stray)
    assert retention.expired_strays(c, OLD, 10) == []
    assert retention.expired_strays(c, LATER, 10) == ["q/1.dcm"]


def test_files_of_a_result_are_given_up_once_and_its_digest_is_kept(c: Connection):
    assert retention.forget_result_files(c, "j1") == ["results/j1/a_semantic.dcm"]
    assert retention.forget_result_files(c, "j1") == []
    row = c.execute(sa.select(RESULT)).one()
    assert (row.path, row.digest) == ("", "d" * 64)
    assert retention.expired_results(c, LATER, 10) == []

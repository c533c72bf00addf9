from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.journal import jobs, overview, series
from app.node.journal.engine import reading, transaction
from app.node.journal.states import SeriesState
from tests.builders.arrival_facts import series_facts, slice_facts
from tests.builders.journal_rows import insert
from tests.builders.journals import SERIES_UID, STUDY_UID, arrival, arrive, empty_journal

DECISION = {"accepted": True}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Engine]:
    engine = empty_journal(tmp_path)
    yield engine
    engine.dispose()


def the_mark(engine: Engine, state: SeriesState = SeriesState.RECEIVING) -> series.SeriesMark:
    with reading(engine) as c:
        (mark,) = series.in_state(c, state)
    return mark


def state_of(engine: Engine) -> str:
    with reading(engine) as c:
        found = overview.find_series(c, SERIES_UID)
    return found.state if found else ""


def arrived(engine: Engine, slices: int = 6) -> series.SeriesMark:
    arrive(engine, *(arrival(n, fact) for n, fact in enumerate(series_facts(slices))))
    return the_mark(engine)


def test_contents_are_the_objects_in_order_with_their_facts(journal: Engine):
    arrived(journal, 3)
    with reading(journal) as c:
        held = series.contents(c, SERIES_UID)
    assert [item.facts for item in held] == series_facts(3)
    assert [item.sop_instance_uid for item in held] == [f"{SERIES_UID}.{n}" for n in (1, 2, 3)]


def test_of_an_object_that_came_with_other_bytes_the_newest_counts(journal: Engine):
    arrived(journal, 3)
    arrive(journal, arrival(1, slice_facts(1), digest="f" * 64, received_at=500.0))
    with reading(journal) as c:
        held = series.contents(c, SERIES_UID)
    assert [item.digest[-1] for item in held] == ["0", "f", "2"]


def test_quarantined_objects_are_no_content(journal: Engine):
    arrived(journal, 3)
    arrive(journal, arrival(7, slice_facts(7), is_quarantined=True))
    with reading(journal) as c:
        assert len(series.contents(c, SERIES_UID)) == 3


@pytest.mark.parametrize("move", [series.reject, series.accept])
def test_a_series_into_which_an_object_arrived_since_it_was_judged_does_not_move(
    journal: Engine, move: object
):
    mark = arrived(journal)
    arrive(journal, arrival(6, slice_facts(6)))
    with transaction(journal) as c:
        assert not move(c, mark, {}, DECISION)
        assert not series.hold(c, mark, {})
    assert state_of(journal) == "receiving"
    with transaction(journal) as c:
        assert move(c, the_mark(journal), {}, DECISION)
        assert not move(c, mark, {}, DECISION)


def test_accepting_uses_up_what_a_person_forced(journal: Engine):
    arrived(journal)
    with transaction(journal) as c:
        assert series.force(c, SERIES_UID, 200.0)
    mark = the_mark(journal)
    assert mark.is_forced
    with transaction(journal) as c:
        assert series.accept(c, mark, {"verdict": "complete_assumed"}, DECISION)
    assert not the_mark(journal, SeriesState.ACCEPTED).is_forced


@pytest.mark.parametrize(
    ("before", "moved", "after"),
    [
        ("receiving", True, "receiving"),
        ("held", True, "receiving"),
        ("discarded", True, "receiving"),
        ("rejected", False, "rejected"),
        ("accepted", False, "accepted"),
    ],
)
def test_force_runs_what_is_not_rejected_or_has_no_job(
    journal: Engine, before: str, after: str, *, moved: bool
):
    with transaction(journal) as c:
        insert(c, "series", state=before)
        assert series.force(c, SERIES_UID, 5.0) is moved
        assert not series.force(c, "9.9", 5.0)
    assert state_of(journal) == after


def test_discard_cancels_the_jobs_of_the_series_and_happens_once(journal: Engine):
    with transaction(journal) as c:
        insert(c, "series", state="accepted")
        insert(c, "job", state="queued")
        insert(c, "job", job_id="j2", state="running")
        insert(c, "job", job_id="j3", state="succeeded")
        assert series.discard(c, SERIES_UID, 7.0)
        assert not series.discard(c, SERIES_UID, 8.0)
    with reading(journal) as c:
        found = [overview.find_job(c, name) for name in ("j1", "j2", "j3")]
        assert jobs.waiting(c) == []
    assert [(job.state, job.cancel_requested) for job in found if job] == [
        ("cancelled", False),
        ("running", True),
        ("succeeded", False),
    ]
    assert state_of(journal) == "discarded"


def test_a_peer_whose_number_grows_is_marked_for_good(journal: Engine):
    arrived(journal)
    answers = []
    for count in (4, 4, 6, 6, 5):
        with transaction(journal) as c:
            answers.append(series.note_peer_count(c, SERIES_UID, count))
    assert answers == [False, False, True, True, True]
    assert the_mark(journal).expected_source == "c_find_growing"


def test_siblings_are_the_other_series_of_the_study(journal: Engine):
    arrived(journal, 3)
    other = {"series_uid": "1.2.3.9", "sop_instance_uid": "1.2.3.9.1", "digest": "e" * 64}
    arrive(journal, arrival(0, slice_facts(0), **other))
    with reading(journal) as c:
        held = series.siblings(c, STUDY_UID, besides=SERIES_UID)
        assert series.arriving_siblings(c, STUDY_UID, besides=SERIES_UID) == {"1.2.3.9"}
    assert [item.sop_instance_uid for item in held] == ["1.2.3.9.1"]

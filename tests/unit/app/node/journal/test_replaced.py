"""What something newer replaces does not go out, whoever asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.journal import delivery_decisions
from app.node.journal.engine import reading, transaction
from app.node.journal.overview import deliveries_of_job
from app.node.journal.replaced import withdraw_replaced
from app.node.journal.tables import LEVEL_CORRECTION
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal

OLD = {"job_id": "old", "state": "succeeded", "created_at": 10.0, "finished_at": 20.0}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Engine]:
    engine = empty_journal(tmp_path)
    with transaction(engine) as c:
        insert(c, "job", **OLD)
        insert(c, "delivery", job_id="old", state="held")
    yield engine
    engine.dispose()


def later(journal: Engine, **values: object) -> None:
    told: dict[str, object] = {"job_id": "new", "created_at": 30.0, "revision": 2}
    with transaction(journal) as c:
        insert(c, "job", **(told | values))


def released(journal: Engine) -> bool:
    with transaction(journal) as c:
        return delivery_decisions.release(c, "old", 99.0)


def row(journal: Engine) -> tuple[str, int | None, str]:
    with reading(journal) as c:
        (one,) = deliveries_of_job(c, "old")
    return one.state, one.replaced_by_revision, one.last_error


@pytest.mark.parametrize(
    "values",
    [
        {"state": "succeeded", "finished_at": 40.0},
        {"state": "waiting"},
        {"state": "running"},
        {"state": "succeeded", "finished_at": 40.0, "revision": 1},
        # An older job that an update has run again.
        {"state": "succeeded", "created_at": 5.0, "finished_at": 40.0, "revision": 1},
    ],
)
def test_held_results_with_a_later_run_are_not_released(journal: Engine, values: dict[str, object]):
    later(journal, **values)
    assert row(journal)[1] == values.get("revision", 2)
    assert not released(journal)
    assert row(journal)[0] == "held"


@pytest.mark.parametrize(
    "values",
    [
        {"state": "cancelled", "finished_at": 40.0},
        {"state": "dead", "finished_at": 40.0},
        {"state": "refused", "finished_at": 40.0},
        {"state": "succeeded", "finished_at": 15.0, "revision": 1, "created_at": 5.0},
        {"state": "succeeded", "finished_at": 40.0, "series_uid": "7"},
    ],
)
def test_a_run_that_came_to_nothing_or_is_older_or_anothers_stops_no_release(
    journal: Engine, values: dict[str, object]
):
    later(journal, **values)
    assert row(journal)[1] is None
    assert released(journal)
    assert row(journal)[0] == "queued"


def correct(journal: Engine, at: float, content: str = "c" * 64) -> None:
    with transaction(journal) as c:
        c.execute(
            LEVEL_CORRECTION.insert().values(
                series_uid="1.2.3.1", content_digest=content, number=1, at=at, actor="x",
                job_id="old", named=json.dumps([]),
            )
        )  # fmt: skip


def test_a_correction_counts_from_the_moment_it_is_made(journal: Engine):
    correct(journal, 25.0)
    assert row(journal)[1] == 1
    assert not released(journal)


def test_a_correction_of_another_content_or_before_the_run_stops_nothing(journal: Engine):
    correct(journal, 25.0, content="d" * 64)
    assert released(journal)
    with transaction(journal) as c:
        insert(c, "delivery", delivery_id="d2", job_id="old", state="dead", destination="x")
    correct(journal, 9.0)
    with transaction(journal) as c:
        assert delivery_decisions.resend(c, "d2", 99.0)


def test_what_is_held_is_withdrawn_by_the_result_that_replaces_it(journal: Engine):
    with transaction(journal) as c:
        insert(c, "delivery", delivery_id="sent", job_id="old", state="delivered", destination="x")
    later(journal, state="succeeded", finished_at=40.0)
    with transaction(journal) as c:
        insert(c, "delivery", delivery_id="new", job_id="new", state="held")
        assert withdraw_replaced(c, "new", 41.0) == 1
        assert withdraw_replaced(c, "new", 41.0) == 0
        assert not delivery_decisions.resend(c, "d1", 50.0)
    with reading(journal) as c:
        states = {one.delivery_id: one.state for one in deliveries_of_job(c, "old")}
        (fresh,) = deliveries_of_job(c, "new")
        (first,) = (one for one in deliveries_of_job(c, "old") if one.delivery_id == "d1")
    assert states == {"d1": "discarded", "sent": "delivered"}
    assert first.last_error == "replaced_by_revision_2"
    assert (fresh.state, fresh.replaced_by_revision) == ("held", None)

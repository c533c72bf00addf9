"""Released, sent again, hurried on, given up: each with a round of sending of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.node.journal.delivery_decisions import discard, hurry, release, resend
from app.node.journal.destinations import health_of, note_failure, open_breaker
from app.node.journal.engine import transaction
from app.node.journal.tables import DELIVERY
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal


@pytest.fixture
def c(tmp_path: Path) -> Iterator[Connection]:
    """Two objects of a job, for a PACS in its second round and for an archive in its first."""
    engine = empty_journal(tmp_path)
    with transaction(engine) as connection:
        insert(connection, "series")
        insert(connection, "job", state="succeeded")
        for number in (1, 2):
            uid = {"sop_instance_uid": f"2.25.{number}"}
            insert(connection, "result", name=f"{number}.dcm", **uid)
            for destination, generation in (("pacs", 2), ("archive", 1)):
                insert(
                    connection,
                    "delivery",
                    delivery_id=f"{destination}{number}",
                    destination=destination,
                    generation=generation,
                    **uid,
                )
        yield connection
    engine.dispose()


def put(c: Connection, delivery_id: str, **values: Any) -> None:
    c.execute(sa.update(DELIVERY).where(DELIVERY.c.delivery_id == delivery_id).values(**values))


def rounds(c: Connection) -> dict[str, tuple[str, int]]:
    columns = (DELIVERY.c.delivery_id, DELIVERY.c.state, DELIVERY.c.generation)
    return {name: (state, generation) for name, state, generation in c.execute(sa.select(*columns))}


def test_a_job_is_released_to_every_destination_in_a_round_of_its_own(c: Connection):
    for name in ("pacs1", "pacs2", "archive1"):
        put(c, name, state="held", last_error="withheld: x")
    assert release(c, "j1", 9.0)
    assert rounds(c) == {
        "pacs1": ("queued", 3),
        "pacs2": ("queued", 3),
        "archive1": ("queued", 2),
        "archive2": ("queued", 1),
    }
    row = c.execute(sa.select(DELIVERY).where(DELIVERY.c.delivery_id == "pacs1")).one()
    assert (row.released_at, row.last_error, row.attempts) == (9.0, "", 0)
    assert not release(c, "j1", 10.0)


def test_what_is_held_is_not_sent_again_and_what_was_delivered_is(c: Connection):
    put(c, "pacs1", state="delivered", delivered_at=3.0, confirmed_by="c_find", attempts=4)
    put(c, "pacs2", state="held")
    assert resend(c, "pacs1", 9.0)
    assert not resend(c, "pacs2", 9.0)
    assert rounds(c)["pacs1"] == ("queued", 3)
    assert rounds(c)["pacs2"] == ("held", 2)
    row = c.execute(sa.select(DELIVERY).where(DELIVERY.c.delivery_id == "pacs1")).one()
    assert (row.delivered_at, row.confirmed_by, row.attempts) == (None, "", 0)


def test_sending_again_ends_the_pause_of_the_destination(c: Connection):
    for name in ("pacs", "archive"):
        note_failure(c, name, 1.0, "no_answer")
        open_breaker(c, name, 60.0)
    assert resend(c, "pacs1", 9.0)
    assert health_of(c, "pacs").open_until == 9.0
    assert health_of(c, "archive").open_until == 60.0


def test_hurrying_changes_neither_attempts_nor_what_is_being_tried(c: Connection):
    put(c, "pacs1", next_attempt_at=50.0, attempts=3)
    put(c, "pacs2", next_attempt_at=5.0, attempts=3)
    assert hurry(c, "pacs", 9.0)
    assert rounds(c)["pacs1"] == ("queued", 3)
    assert rounds(c)["pacs2"] == ("queued", 2)
    row = c.execute(sa.select(DELIVERY).where(DELIVERY.c.delivery_id == "pacs1")).one()
    assert (row.attempts, row.next_attempt_at) == (3, None)
    assert not hurry(c, "pacs", 9.0)
    assert not hurry(c, "archive", 9.0)


def test_hurrying_ends_a_pause_although_nothing_waits(c: Connection):
    note_failure(c, "archive", 1.0, "no_answer")
    open_breaker(c, "archive", 60.0)
    assert hurry(c, "archive", 9.0)
    assert health_of(c, "archive").open_until is None


def test_what_is_given_up_stays_so_and_what_arrived_is_not_taken_back(c: Connection):
    put(c, "pacs1", state="delivered")
    assert discard(c, "j1", 9.0)
    assert {name: state for name, (state, _) in rounds(c).items()} == {
        "pacs1": "delivered",
        "pacs2": "discarded",
        "archive1": "discarded",
        "archive2": "discarded",
    }
    assert not discard(c, "j1", 10.0)

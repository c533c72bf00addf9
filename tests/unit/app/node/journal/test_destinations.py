"""How destinations fare: one trial while the breaker is open, failures in a row, what was said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.node.journal.destinations import (
    DestinationHealth,
    claim_trial,
    health_of,
    note_confirmation,
    note_echo,
    note_failure,
    note_success,
    open_breaker,
)
from app.node.journal.engine import transaction
from app.node.journal.tables import DESTINATION
from tests.builders.journals import empty_journal


@pytest.fixture
def c(tmp_path: Path) -> Iterator[Connection]:
    engine = empty_journal(tmp_path)
    with transaction(engine) as connection:
        yield connection
    engine.dispose()


def row_of(c: Connection, name: str = "pacs") -> dict[str, Any]:
    return dict(
        c.execute(sa.select(DESTINATION).where(DESTINATION.c.name == name)).mappings().one()
    )


def test_one_that_nobody_has_heard_of_is_healthy_and_stays_unknown(c: Connection):
    assert health_of(c, "pacs") == DestinationHealth(consecutive_failures=0, open_until=None)
    open_breaker(c, "pacs", 9.0)
    assert c.execute(sa.select(sa.func.count()).select_from(DESTINATION)).scalar() == 0


def test_failures_in_a_row_are_counted_until_it_works(c: Connection):
    assert [note_failure(c, "pacs", 10.0 + n, "no_answer") for n in range(3)] == [1, 2, 3]
    assert note_failure(c, "pacs", 14.0, "refused", is_in_a_row=False) == 3
    row = row_of(c)
    assert (row["failures"], row["last_failure_at"], row["last_error"]) == (4, 14.0, "refused")
    assert not note_success(c, "pacs", 15.0)
    row = row_of(c)
    assert (row["consecutive_failures"], row["failures"]) == (0, 4)
    assert (row["last_success_at"], row["last_error"]) == (15.0, "")


def test_a_success_ends_a_pause_and_says_that_there_was_one(c: Connection):
    note_failure(c, "pacs", 1.0, "no_answer")
    open_breaker(c, "pacs", 60.0)
    assert health_of(c, "pacs") == DestinationHealth(consecutive_failures=1, open_until=60.0)
    assert note_success(c, "pacs", 2.0)
    assert health_of(c, "pacs") == DestinationHealth()


def test_the_trial_of_an_open_breaker_is_the_first_ones_who_asks(c: Connection):
    note_failure(c, "pacs", 1.0, "no_answer")
    open_breaker(c, "pacs", 60.0)
    assert claim_trial(c, "pacs", 60.0, 90.0)
    assert not claim_trial(c, "pacs", 60.0, 95.0)
    assert health_of(c, "pacs").open_until == 90.0
    assert not claim_trial(c, "archive", 60.0, 90.0)


def test_destinations_are_told_apart(c: Connection):
    note_failure(c, "pacs", 1.0, "no_answer")
    note_success(c, "archive", 2.0)
    assert health_of(c, "pacs").consecutive_failures == 1
    assert health_of(c, "archive").consecutive_failures == 0


def test_how_it_confirms_and_what_it_takes_are_kept_as_it_said_last(c: Connection):
    note_confirmation(c, "pacs", 3.0, "c_find")
    note_echo(c, "pacs", 4.0, "", taken=["segmentation", "measurements"])
    note_echo(c, "pacs", 5.0, "x" * 70)
    row = row_of(c)
    assert (row["confirmed_by"], row["confirmed_at"]) == ("c_find", 3.0)
    assert (row["echo_at"], row["echo_error"]) == (5.0, "x" * 64)
    assert row["objects_taken"] == "segmentation measurements"
    note_echo(c, "pacs", 6.0, "", taken=[])
    assert (row_of(c)["echo_error"], row_of(c)["objects_taken"]) == ("", "")

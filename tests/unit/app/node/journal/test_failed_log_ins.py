"""Attempts in a row lock; a pause, a success or the end of the lock begins anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from app.node.journal.engine import transaction
from app.node.journal.failed_log_ins import (
    Bound,
    count_attempt,
    forget_attempts,
    forget_old_attempts,
    locked_until,
)
from tests.builders.journals import empty_journal

ANNA = Bound(kind="account", subject="a1", most=3, lock_s=60.0)
BERT = Bound(kind="account", subject="b2", most=3, lock_s=60.0)


@pytest.fixture
def c(tmp_path: Path) -> Iterator[Connection]:
    engine = empty_journal(tmp_path)
    with transaction(engine) as connection:
        yield connection
    engine.dispose()


def attempts(c: Connection, *times: float) -> float | None:
    for now in times:
        count_attempt(c, ANNA, now)
    return locked_until(c, ANNA, times[-1])


def test_the_third_attempt_in_a_row_locks_this_subject_alone(c: Connection):
    assert attempts(c, 0.0, 10.0) is None
    assert attempts(c, 20.0) == 80.0
    assert locked_until(c, ANNA, 79.0) == 80.0
    assert locked_until(c, ANNA, 80.0) is None
    assert locked_until(c, BERT, 30.0) is None


def test_a_pause_as_long_as_the_lock_ends_the_row(c: Connection):
    assert attempts(c, 0.0, 10.0, 70.0) is None
    assert attempts(c, 80.0) is None
    assert attempts(c, 90.0) == 150.0


def test_after_the_lock_a_row_begins_anew(c: Connection):
    assert attempts(c, 0.0, 1.0, 2.0) == 62.0
    assert attempts(c, 63.0) is None
    assert attempts(c, 64.0) is None
    assert attempts(c, 65.0) == 125.0


def test_a_success_forgets_and_old_rows_go(c: Connection):
    attempts(c, 0.0, 1.0)
    forget_attempts(c, ANNA)
    assert attempts(c, 2.0, 3.0) is None
    forget_old_attempts(c, 3.0)
    assert attempts(c, 4.0) == 64.0
    forget_old_attempts(c, 5.0)
    assert locked_until(c, ANNA, 5.0) is None

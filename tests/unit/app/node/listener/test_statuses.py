from __future__ import annotations

import pytest

from app.errors import (
    DiskFullError,
    JournalError,
    ObjectMismatchError,
    ObjectNotUnderstoodError,
    ServiceError,
    SpoolError,
)
from app.node.journal.arrivals import ArrivalOutcome
from app.node.listener.statuses import (
    OUTCOMES,
    status_of,
)


def test_every_outcome_has_a_status_and_only_quarantine_a_warning() -> None:
    assert set(OUTCOMES) == set(ArrivalOutcome)
    assert {outcome for outcome, status in OUTCOMES.items() if status} == {
        ArrivalOutcome.QUARANTINED
    }
    assert OUTCOMES[ArrivalOutcome.QUARANTINED] & 0xF000 == 0xB000


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DiskFullError(), 0xA700),
        (SpoolError(), 0xA700),
        (JournalError(), 0xA700),
        (ObjectMismatchError(), 0xA900),
        (ObjectNotUnderstoodError(), 0xC000),
        (KeyError("x"), 0xC001),
    ],
)
def test_errors_and_their_statuses(error: Exception, status: int) -> None:
    assert status_of(error) == status


def test_a_service_error_that_is_invented_later_says_come_again() -> None:
    class LaterError(ServiceError):
        """Something else is out of order."""

    assert status_of(LaterError()) == 0xA700

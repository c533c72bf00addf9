"""How every destination fares: what the circuit breaker remembers over restarts and processes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.node.journal.tables import DESTINATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection


_LONGEST_ERROR: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationHealth:
    """What is known of a destination.

    Attributes
    ----------
    consecutive_failures : int
        Attempts since the last one at which the peer worked.
    open_until : float or None
        Begin of the next trial while the breaker is open, epoch seconds; None: closed.
    """

    consecutive_failures: int = 0
    open_until: float | None = None


def health_of(c: Connection, name: str) -> DestinationHealth:
    """Health of a destination; a new one is healthy.

    Parameters
    ----------
    c : Connection
        For reading.
    name : str
        Name of the peer in the settings.

    Returns
    -------
    DestinationHealth
        As last noted by any process.
    """
    row = c.execute(
        sa.select(DESTINATION.c.consecutive_failures, DESTINATION.c.open_until).where(
            DESTINATION.c.name == name
        )
    ).first()
    if row is None:
        return DestinationHealth()
    return DestinationHealth(consecutive_failures=row[0], open_until=row[1])


def claim_trial(c: Connection, name: str, seen: float, until: float) -> bool:
    """Take the one trial that an open breaker allows.

    Parameters
    ----------
    c : Connection
        A transaction.
    name : str
        Destination.
    seen : float
        `open_until` as it was read: whoever comes second finds another one.
    until : float
        When the next trial may begin if this one tells nothing, epoch seconds.

    Returns
    -------
    bool
        Whether the trial is the caller's.
    """
    changed = c.execute(
        sa.update(DESTINATION)
        .where(DESTINATION.c.name == name, DESTINATION.c.open_until == seen)
        .values(open_until=until)
    )
    return changed.rowcount > 0


def note_success(c: Connection, name: str, now: float) -> bool:
    """Note that the peer works: the breaker closes.

    Parameters
    ----------
    c : Connection
        A transaction.
    name : str
        Destination.
    now : float
        Epoch seconds.

    Returns
    -------
    bool
        Whether the breaker was open.
    """
    _make_known(c, name)
    was_open = health_of(c, name).open_until is not None
    c.execute(
        sa.update(DESTINATION)
        .where(DESTINATION.c.name == name)
        .values(consecutive_failures=0, open_until=None, last_success_at=now, last_error="")
    )
    return was_open


def note_failure(
    c: Connection, name: str, now: float, error: str, *, is_in_a_row: bool = True
) -> int:
    """Note that the peer did not do what it was asked.

    Parameters
    ----------
    c : Connection
        A transaction.
    name : str
        Destination.
    now : float
        Epoch seconds.
    error : str
        Name of the error, free of patient data.
    is_in_a_row : bool
        False where it did something else in the same conversation.

    Returns
    -------
    int
        Failures in a row, this one included.
    """
    _make_known(c, name)
    c.execute(
        sa.update(DESTINATION)
        .where(DESTINATION.c.name == name)
        .values(
            consecutive_failures=DESTINATION.c.consecutive_failures + int(is_in_a_row),
            failures=DESTINATION.c.failures + 1,
            last_failure_at=now,
            last_error=error,
        )
    )
    return health_of(c, name).consecutive_failures


def note_confirmation(c: Connection, name: str, now: float, confirmed_by: str) -> None:
    """Note how the last object that arrived was confirmed.

    Parameters
    ----------
    c : Connection
        A transaction.
    name : str
        Destination.
    now : float
        Epoch seconds.
    confirmed_by : str
        ``c_find``, or ``c_store`` where the peer was taken at its word.
    """
    _make_known(c, name)
    c.execute(
        sa.update(DESTINATION)
        .where(DESTINATION.c.name == name)
        .values(confirmed_by=confirmed_by, confirmed_at=now)
    )


def note_echo(
    c: Connection, name: str, now: float, error: str, *, taken: Sequence[str] | None = None
) -> None:
    """Note what became of a C-ECHO that a person asked for; no error: it was answered.

    Parameters
    ----------
    c : Connection
        A transaction.
    name : str
        Of the destination.
    now : float
        Epoch seconds.
    error : str
        Name of what went wrong; empty: nothing.
    taken : sequence of str, optional
        Groups of results for which it accepted a presentation context; without it what it said
        last stays known.
    """
    _make_known(c, name)
    c.execute(
        sa.update(DESTINATION)
        .where(DESTINATION.c.name == name)
        .values(
            echo_at=now,
            echo_error=error[:_LONGEST_ERROR],
            **({} if taken is None else {"objects_taken": " ".join(taken)}),
        )
    )


def open_breaker(c: Connection, name: str, until: float | None) -> None:
    """Pause a destination, or end its pause.

    Parameters
    ----------
    c : Connection
        A transaction.
    name : str
        Destination.
    until : float or None
        Begin of the next trial, epoch seconds; None: no pause.
    """
    c.execute(sa.update(DESTINATION).where(DESTINATION.c.name == name).values(open_until=until))


def _make_known(c: Connection, name: str) -> None:
    # Update first, so that PostgreSQL locks the row; the first row ever is made once.
    exists = c.execute(
        sa.update(DESTINATION)
        .where(DESTINATION.c.name == name)
        .values(consecutive_failures=DESTINATION.c.consecutive_failures)
    ).rowcount
    if not exists:
        # Two processes may meet here once in a destination's life.
        with suppress(IntegrityError), c.begin_nested():
            c.execute(
                sa.insert(DESTINATION).values(name=name, consecutive_failures=0, last_error="")
            )

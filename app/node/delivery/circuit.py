"""The circuit breaker of a destination: closed, open, or one trial after a pause.

After 10 failures in a row a destination gets one attempt, and then a pause that follows the same
function as every other delay and is never longer than the site's `longest_delay_s`. The first
success lets everything go that waits. A person who sends again opens the way at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from app.node.delivery.backoff import delay_s, jitter, retry_pace
from app.node.journal.delivery_decisions import hurry
from app.node.journal.destinations import (
    claim_trial,
    health_of,
    note_failure,
    note_success,
    open_breaker,
)
from app.node.journal.engine import transaction
from app.node.telemetry.events import CIRCUIT_CLOSED, CIRCUIT_OPENED

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

    from app.node.journal.destinations import DestinationHealth
    from app.node.telemetry.logs import Emit
    from app.settings import DeliverySettings

FAILURES_ALLOWED: Final = 10
_SPREAD: Final = 0.1
"""Those who wait come this part of the pause after the next trial, so that it can succeed."""


class Way(Enum):
    """Whether an attempt may begin."""

    FREE = auto()
    TRIAL = auto()
    """The pause is over: whoever claims the trial may go."""
    BLOCKED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the breaker says.

    Attributes
    ----------
    way : Way
        Free, one trial, or blocked.
    wait_s : float
        Where blocked: until the next trial, s.
    """

    way: Way
    wait_s: float = 0.0


def gate(health: DestinationHealth, now: float, longest_s: float) -> Gate:
    """Judge the health of a destination.

    Parameters
    ----------
    health : DestinationHealth
        As the journal knows it.
    now : float
        Epoch seconds.
    longest_s : float
        Longest pause there is, s.

    Returns
    -------
    Gate
        A longer pause than there is comes from a clock that was set back: it is over.
    """
    if health.open_until is None:
        return Gate(way=Way.FREE)
    wait_s = health.open_until - now
    if 0 < wait_s <= longest_s:
        return Gate(way=Way.BLOCKED, wait_s=wait_s)
    return Gate(way=Way.TRIAL)


class Breaker:
    """The breaker of one destination, kept in the journal: all processes share it."""

    def __init__(
        self,
        engine: Engine,
        destination: str,
        settings: DeliverySettings,
        *,
        clock: Callable[[], float],
        emit: Emit,
    ) -> None:
        """Keep the journal, the name, the pace, the clock (epoch seconds) and the log."""
        self._pace = retry_pace(settings)
        self._engine = engine
        self._destination = destination
        self._clock = clock
        self._emit = emit

    def wait_s(self, key: str) -> float:
        """Ask to go, and claim the trial where only one may.

        Parameters
        ----------
        key : str
            Of the delivery that asks; spreads those that must wait.

        Returns
        -------
        float
            0: go. Else come back after so many seconds.
        """
        now = self._clock()
        with transaction(self._engine) as c:
            health = health_of(c, self._destination)
            verdict = gate(health, now, self._pace.longest_s)
            pause_s = delay_s(health.consecutive_failures, self._destination, self._pace)
            if verdict.way is Way.FREE:
                return 0.0
            if (
                verdict.way is Way.TRIAL
                and health.open_until is not None
                and claim_trial(c, self._destination, health.open_until, now + pause_s)
            ):
                return 0.0
        rest_s = verdict.wait_s or pause_s
        wait_s = rest_s + self._pace.longest_s * _SPREAD * jitter(key, int(now))
        return min(wait_s, self._pace.longest_s)

    def note_success(self, error: str = "") -> None:
        """Note that the peer took something or answered a query.

        Parameters
        ----------
        error : str
            Name of what it refused in the same conversation; empty: nothing.
        """
        now = self._clock()
        with transaction(self._engine) as c:
            was_open = note_success(c, self._destination, now)
            if was_open:
                hurry(c, self._destination, now)
            if error:
                note_failure(c, self._destination, now, error, is_in_a_row=False)
        if was_open:
            self._emit(CIRCUIT_CLOSED, peer=self._destination)

    def note_refusal(self, error: str) -> None:
        """Note that the peer answered, but took none of these objects; whatever else waits may go.

        Parameters
        ----------
        error : str
            Name of its answer.
        """
        now = self._clock()
        with transaction(self._engine) as c:
            note_failure(c, self._destination, now, error)
            if health_of(c, self._destination).open_until is not None:
                open_breaker(c, self._destination, None)
                hurry(c, self._destination, now)

    def note_unanswered(self, error: str) -> None:
        """Note that a query failed; the peer may still take objects: no row of failures grows."""
        with transaction(self._engine) as c:
            note_failure(c, self._destination, self._clock(), error, is_in_a_row=False)

    def note_failure(self, error: str) -> None:
        """Note that nothing passes at the peer now; too often in a row, and it pauses.

        Parameters
        ----------
        error : str
            Name of its failure.
        """
        now = self._clock()
        with transaction(self._engine) as c:
            failures = note_failure(c, self._destination, now, error)
            # Not before: only who holds the row's lock sees whether another worker has opened it.
            was_open = health_of(c, self._destination).open_until is not None
            pause_s = delay_s(failures, self._destination, self._pace)
            is_open = failures >= FAILURES_ALLOWED
            if is_open:
                open_breaker(c, self._destination, now + pause_s)
        if is_open and not was_open:
            self._emit(CIRCUIT_OPENED, peer=self._destination, pause_s=round(pause_s, 1))

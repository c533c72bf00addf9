"""The circuit breaker of a destination: closed, open, or one trial after a pause.

After 10 failures in a row a destination gets at most one attempt in 15 minutes, whatever waits
for it. A person who sends again opens the way for one attempt at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from app.delivery.backoff import jitter
from app.journal.destinations import (
    claim_trial,
    health_of,
    note_failure,
    note_success,
    open_breaker,
)
from app.journal.engine import transaction
from app.telemetry.events import CIRCUIT_CLOSED, CIRCUIT_OPENED

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

    from app.journal.destinations import DestinationHealth
    from app.telemetry.logs import Emit

FAILURES_ALLOWED: Final = 10
PAUSE_S: Final = 900.0

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


def gate(health: DestinationHealth, now: float) -> Gate:
    """Judge the health of a destination.

    Parameters
    ----------
    health : DestinationHealth
        As the journal knows it.
    now : float
        Epoch seconds.

    Returns
    -------
    Gate
        A pause longer than 15 minutes is that of a clock which was set back: it is over.
    """
    if health.open_until is None:
        return Gate(way=Way.FREE)
    wait_s = health.open_until - now
    if 0 < wait_s <= PAUSE_S:
        return Gate(way=Way.BLOCKED, wait_s=wait_s)
    return Gate(way=Way.TRIAL)


class Breaker:
    """The breaker of one destination, kept in the journal: all processes share it."""

    def __init__(
        self, engine: Engine, destination: str, *, clock: Callable[[], float], emit: Emit
    ) -> None:
        """Keep the journal, the name, the clock (epoch seconds) and the log."""
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
            verdict = gate(health, now)
            if verdict.way is Way.FREE:
                return 0.0
            if (
                verdict.way is Way.TRIAL
                and health.open_until is not None
                and claim_trial(c, self._destination, health.open_until, now + PAUSE_S)
            ):
                return 0.0
        rest_s = verdict.wait_s or PAUSE_S
        return rest_s + PAUSE_S * _SPREAD * jitter(key, int(now))

    def note(self, *, works: bool, error: str = "") -> None:
        """Note how an attempt went.

        Parameters
        ----------
        works : bool
            The peer took something or answered a query.
        error : str
            Name of the peer's failure; empty with ``works=False``: nothing was learnt.
        """
        now = self._clock()
        if works:
            with transaction(self._engine) as c:
                was_open = note_success(c, self._destination, now)
            if was_open:
                self._emit(CIRCUIT_CLOSED, peer=self._destination)
        elif error:
            with transaction(self._engine) as c:
                failures = note_failure(c, self._destination, now, error)
                if failures >= FAILURES_ALLOWED:
                    open_breaker(c, self._destination, now + PAUSE_S)
            if failures == FAILURES_ALLOWED:
                self._emit(CIRCUIT_OPENED, peer=self._destination, pause_s=PAUSE_S)

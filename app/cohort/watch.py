"""Follows a cohort while this process works on it, alone or with others."""

from __future__ import annotations

import queue
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.errors import WorkflowLostError

if TYPE_CHECKING:
    from threading import Event

    from app.cohort.engine import CohortEngine
    from app.cohort.folder import CohortFolder
    from app.cohort.ledger import Ledger, Teller

_WATCH_S: Final = 0.2
_LOOK_AROUND_S: Final = 2.0
"""How often one looks for dead processes, and for cases that others published, s."""
_SUBMITTED_AT_ONCE: Final = 50
_MOST_LOSSES: Final = 3
"""A workflow that ended without a result begins anew so often."""


@dataclass(slots=True)
class Watch:
    """Follows the cases of this process and, now and then, those of others.

    Attributes
    ----------
    folder : CohortFolder
        Output.
    engine : CohortEngine
        Started.
    ledger : Ledger
        What is open.
    events : SimpleQueue
        Ids of published cases, and what keeps all from ending.
    """

    folder: CohortFolder
    engine: CohortEngine
    ledger: Ledger
    events: queue.SimpleQueue[str | Exception]
    _absent: deque[str] = field(default_factory=deque)
    _next_look_s: float = 0.0

    def look_around(self) -> bool:
        """Take over from the dead, note what others published, give anew what is lost."""
        now = time.monotonic()
        if now < self._next_look_s or self._absent:
            return False
        self.engine.take_over_from_dead(self.folder.state)
        is_news = self.ledger.note_all(self.folder)
        self._absent = deque(self.engine.forget_ended(list(self.ledger.open)))
        # Many cases on a slow disk: no more than a tenth of the time.
        pause_s = max(_LOOK_AROUND_S, 10 * (time.monotonic() - now))
        self._next_look_s = time.monotonic() + pause_s
        return is_news

    def take_events(self) -> bool:
        """Whether a case ended within a moment; raise what keeps all from ending."""
        try:
            event = self.events.get(timeout=_WATCH_S)
        except queue.Empty:
            return False
        if isinstance(event, Exception):
            raise event
        return event in self.ledger.open and self.ledger.note(event, self.folder)

    def submit_some(self) -> None:
        """Give the engine what it does not have, a few at a time, so that one can be stopped."""
        for _ in range(min(_SUBMITTED_AT_ONCE, len(self._absent))):
            case_id = self._absent.popleft()
            # It may have been published since the engine was asked.
            if case_id in self.ledger.open and not self.ledger.note(case_id, self.folder):
                self._submit(case_id)

    def _submit(self, case_id: str) -> None:
        losses = self.ledger.losses
        losses[case_id] = losses.get(case_id, -1) + 1
        if losses[case_id] > _MOST_LOSSES:
            message = "the job engine ended a case without a result, time and again"
            raise WorkflowLostError(message)
        self.engine.submit_case(case_id)


def follow(watch: Watch, teller: Teller, stop: Event) -> None:
    """Return when no case is open, or when `stop` is set.

    Raises
    ------
    SpineError
        What keeps every case from ending.
    """
    while watch.ledger.open and not stop.is_set():
        is_news = watch.look_around()
        watch.submit_some()
        if watch.take_events() or is_news:
            teller.now()

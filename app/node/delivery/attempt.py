"""One attempt to deliver a job's objects to one destination.

`Courier.attempt` may be repeated after a crash at any point and may even run twice at once: a
SOP Instance UID names the same bytes for ever, every answer is noted at once, and a move in the
journal happens only from the state that was read. It blocks for as long as the peer is slow;
at most `SLOTS` attempts per destination do so at a time, the others are told to come back.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Final

from app.node.delivery.circuit import Breaker
from app.node.delivery.conditions import PeerCondition, Sent
from app.node.delivery.ledger import Ledger
from app.node.delivery.sending import Correspondent, confirm, send
from app.node.delivery.superseded import ask_for, keep_back
from app.node.journal.states import DeliveryState
from app.node.peers.kinds import destination_of
from app.node.telemetry.logs import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy.engine import Engine

    from app.node.journal.deliveries import DeliveryGroup
    from app.node.journal.parcels import Parcel
    from app.node.peers.destination import Destination
    from app.node.telemetry.logs import Emit
    from app.settings import NodeSettings
    from app.settings.peers import PeerSettings

SLOTS: Final = 4
"""Attempts at one destination at a time and process: a hanging one cannot take all threads."""

_TOLERANCE_S: Final = 0.5
_SHORTEST_DELAY_S: Final = 0.2
_BUSY_DELAY_S: Final = 1.0
_TICKET_S: Final = 0.25
"""Distance between two who wait for a slot: a thousand of them must not keep the engine busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the workflow does next.

    Attributes
    ----------
    delay_s : float or None
        Attempt again after so many seconds; None: finished, nothing is left to do.
    """

    delay_s: float | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.delay_s is None


FINISHED: Final = Verdict()


class Courier:
    """Delivers; one per process, shared by its threads."""

    def __init__(
        self,
        engine: Engine,
        node: NodeSettings,
        *,
        clock: Callable[[], float] = time.time,
        emit: Emit = silent,
        open_destination: Callable[[PeerSettings, str], Destination] = destination_of,
    ) -> None:
        """Keep the journal, the settings, the clock (epoch seconds), the log, the way out."""
        self._engine = engine
        self._node = node
        self._clock = clock
        self._emit = emit
        self._open_destination = open_destination
        self._slots: dict[str, BoundedSemaphore] = {}
        self._tickets: dict[str, float] = {}
        self._lock = Lock()

    def attempt(self, group: DeliveryGroup) -> Verdict:
        """Send what is due, ask for what was sent, note every answer.

        Parameters
        ----------
        group : DeliveryGroup
            Job, destination and generation.

        Returns
        -------
        Verdict
            Finished, or when to attempt again. A failure of the peer is no error here.

        Raises
        ------
        JournalError
            If the journal does not answer; repeat the attempt.
        """
        ledger = Ledger(
            self._engine, group, self._node.delivery, clock=self._clock, emit=self._emit
        )
        parcels = ledger.waiting()
        if not parcels:
            return FINISHED
        to = self._correspondent(group.destination)
        if to is None:
            for parcel in parcels:
                ledger.unroutable(parcel)
            return FINISHED
        with self._slot(group.destination) as is_free:
            if not is_free:
                return Verdict(delay_s=self._ticket_s(group.destination))
            self._talk(ledger, to, [one for one in parcels if self._is_due(one)])
        return self._verdict(ledger)

    def _talk(self, ledger: Ledger, to: Correspondent, due: Sequence[Parcel]) -> None:
        due = keep_back(ledger, due)
        if not due:
            return
        breaker = Breaker(
            self._engine, to.name, self._node.delivery, clock=self._clock, emit=self._emit
        )
        wait_s = breaker.wait_s(due[0].delivery_id)
        if wait_s > 0:
            ledger.postponed(due, wait_s)
            return
        queued = [one for one in due if one.state == DeliveryState.QUEUED]
        superseded = [one for one in queued if one.is_superseded]
        wanted = [one for one in queued if not one.is_superseded]
        for talk, parcels in ((ask_for, superseded), (send, wanted)):
            if parcels:
                sent = talk(ledger, to, parcels)
                _learn(breaker, sent)
                if sent.condition is PeerCondition.FAILS:
                    return
        acknowledged = [
            one for one in ledger.waiting() if one.state == DeliveryState.SENT and self._is_due(one)
        ]
        if acknowledged:
            _learn(breaker, confirm(ledger, to, acknowledged))

    def _verdict(self, ledger: Ledger) -> Verdict:
        now = self._clock()
        waiting = ledger.waiting()
        if not waiting:
            return FINISHED
        delay_s = min((one.next_attempt_at or now) - now for one in waiting)
        return Verdict(delay_s=min(max(delay_s, _SHORTEST_DELAY_S), self._longest_wait_s()))

    def _is_due(self, parcel: Parcel) -> bool:
        """Due; a wait longer than any there is comes from a clock that was set back."""
        wait_s = (parcel.next_attempt_at or 0.0) - self._clock()
        return wait_s <= _TOLERANCE_S or wait_s > self._longest_wait_s()

    def _longest_wait_s(self) -> float:
        delivery = self._node.delivery
        return 2 * max(delivery.longest_delay_s, delivery.confirm_after_s)

    def _correspondent(self, destination: str) -> Correspondent | None:
        peer = self._node.peer(destination)
        if peer is None:
            return None
        return Correspondent(
            name=peer.name,
            destination=self._open_destination(peer, self._node.listener.ae_title),
            data=self._node.data,
            required_objects=peer.required_objects,
        )

    def _ticket_s(self, destination: str) -> float:
        """Wait of those who find no slot: one after the other, however many there are."""
        now = time.monotonic()
        with self._lock:
            ticket = max(self._tickets.get(destination, 0.0), now + _BUSY_DELAY_S)
            self._tickets[destination] = ticket + _TICKET_S
        return ticket - now

    @contextmanager
    def _slot(self, destination: str) -> Iterator[bool]:
        with self._lock:
            slots = self._slots.setdefault(destination, BoundedSemaphore(SLOTS))
        is_free = slots.acquire(blocking=False)
        try:
            yield is_free
        finally:
            if is_free:
                slots.release()


def _learn(breaker: Breaker, sent: Sent) -> None:
    match sent.condition:
        case PeerCondition.WORKS:
            breaker.note_success(sent.error)
        case PeerCondition.FAILS:
            breaker.note_failure(sent.error)
        case PeerCondition.REFUSES:
            breaker.note_refusal(sent.error)
        case PeerCondition.UNANSWERED:
            breaker.note_unanswered(sent.error)
        case PeerCondition.UNKNOWN:
            pass

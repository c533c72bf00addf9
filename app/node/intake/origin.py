"""Ask the peer a series came from: how many objects it has, and to send those that are missing.

Questions run in threads, since a peer may be slow; at most one per series, each later than the
one before, and a peer that does not answer is left alone for a while.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.errors import ServiceError
from app.node.peers.move import move_series
from app.node.peers.query import count_instances
from app.node.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from app.node.journal.series import SeriesMark
    from app.node.telemetry.logs import Emit
    from app.settings import NodeSettings
    from app.settings.peers import DimsePeerSettings

QUERY_TIMEOUT_S: Final = 10.0
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 60.0
"""Pauses between two questions about one series, doubled each time."""

PEER_PAUSE_S: Final = 30.0
"""How long a peer that did not answer is left alone."""

REPAIR_PAUSES_S: Final = (0.0, 60.0, 600.0, 3600.0)
"""Pauses before each request to send a held series again."""


@dataclass(frozen=True, slots=True)
class Questions:
    """How a peer is asked; tests put their own in place."""

    count: Callable[[DimsePeerSettings, str, SeriesMark], int | None]
    move: Callable[[DimsePeerSettings, str, SeriesMark], None]


def _count(peer: DimsePeerSettings, our_ae_title: str, mark: SeriesMark) -> int | None:
    return count_instances(
        peer, our_ae_title, mark.study_uid, mark.series_uid, timeout_s=QUERY_TIMEOUT_S
    )


def _move(peer: DimsePeerSettings, our_ae_title: str, mark: SeriesMark) -> None:
    move_series(peer, our_ae_title, mark.study_uid, mark.series_uid)


BY_DIMSE: Final = Questions(_count, _move)


@dataclass(slots=True)
class _Inquiry:
    """Questions about one series."""

    asked: int = 0
    next_at: float = 0.0
    is_answered: bool = False
    running: Future[int | None] | None = None


@dataclass(slots=True)
class OriginDesk:
    """Asks the origins of series; used by one thread.

    Attributes
    ----------
    node : NodeSettings
        Peers and routes.
    executor : Executor
        Where questions run.
    monotonic : callable
        Clock of the pauses, s.
    """

    node: NodeSettings
    executor: Executor
    monotonic: Callable[[], float]
    emit: Emit
    key_of: Callable[[str], str]
    questions: Questions = BY_DIMSE
    _inquiries: dict[str, _Inquiry] = field(default_factory=dict)
    _repairs: dict[str, _Inquiry] = field(default_factory=dict)
    _silent_until: dict[str, float] = field(default_factory=dict)

    def origin_of(self, mark: SeriesMark) -> DimsePeerSettings | None:
        """Peer a series came from: the route's origin, else the one with the sender's AE title."""
        named = self.node.route_of(mark.calling_ae_title, mark.called_ae_title).origin
        if named is not None:
            return next((one for one in self.node.entities if one.name == named), None)
        return next((p for p in self.node.entities if p.ae_title == mark.calling_ae_title), None)

    @property
    def can_repair(self) -> bool:
        """Whether any peer can be asked to send again."""
        return any(peer.can_move for peer in self.node.entities)

    def count(self, mark: SeriesMark) -> int | None:
        """Give the number of objects at the peer once it has answered; ask where due.

        Parameters
        ----------
        mark : SeriesMark
            Which series.

        Returns
        -------
        int or None
            An answer that has just come in; None while there is none, or nobody to ask.
        """
        peer = self.origin_of(mark)
        if peer is None or not peer.can_find:
            return None
        inquiry = self._inquiries.setdefault(mark.series_uid, _Inquiry())
        if inquiry.running is not None:
            return self._answer(inquiry, peer)
        now = self.monotonic()
        if now >= max(inquiry.next_at, self._silent_until.get(peer.name, 0.0)):
            pause_s = min(FIRST_PAUSE_S * 2**inquiry.asked, LONGEST_PAUSE_S)
            inquiry.asked, inquiry.next_at = inquiry.asked + 1, now + pause_s
            our_ae_title = self.node.listener.ae_title
            inquiry.running = self.executor.submit(self.questions.count, peer, our_ae_title, mark)
        return self._answer(inquiry, peer)

    def ask_soon(self, series_uid: str) -> None:
        """Something new arrived: the next question need not wait out its pause."""
        inquiry = self._inquiries.get(series_uid)
        if inquiry is not None:
            inquiry.asked, inquiry.next_at, inquiry.is_answered = 0, 0.0, False

    def may_still_tell(self, mark: SeriesMark) -> bool:
        """Whether the origin can be asked and has not answered since the last new object.

        A peer that did not answer within the last half minute is not waited for.
        """
        peer = self.origin_of(mark)
        if peer is None or not peer.can_find:
            return False
        if self.monotonic() < self._silent_until.get(peer.name, 0.0):
            return False
        inquiry = self._inquiries.get(mark.series_uid)
        return inquiry is None or not inquiry.is_answered

    def repair(self, mark: SeriesMark) -> bool:
        """Have the peer send a held series again, where it can and where due.

        Returns
        -------
        bool
            Whether it was asked just now.
        """
        peer = self.origin_of(mark)
        if peer is None or not peer.can_move:
            return False
        repair = self._repairs.setdefault(
            mark.series_uid, _Inquiry(next_at=self.monotonic() + REPAIR_PAUSES_S[0])
        )
        if repair.running is not None:
            self._answer(repair, peer)
            return False
        if repair.asked == len(REPAIR_PAUSES_S) or self.monotonic() < repair.next_at:
            return False
        repair.asked += 1
        pause_s = REPAIR_PAUSES_S[min(repair.asked, len(REPAIR_PAUSES_S) - 1)]
        repair.next_at = self.monotonic() + pause_s
        our_ae_title = self.node.listener.ae_title
        repair.running = self.executor.submit(self._move, peer, our_ae_title, mark)
        self.emit(events.REPAIR_REQUESTED, series=self.key_of(mark.series_uid), peer=peer.name)
        return True

    def forget(self, receiving: set[str], held: set[str]) -> None:
        """Drop what is known of series that are in neither state any more."""
        for known, current in ((self._inquiries, receiving), (self._repairs, held | receiving)):
            for uid in known.keys() - current:
                del known[uid]

    def _move(self, peer: DimsePeerSettings, our_ae_title: str, mark: SeriesMark) -> None:
        self.questions.move(peer, our_ae_title, mark)

    def _answer(self, inquiry: _Inquiry, peer: DimsePeerSettings) -> int | None:
        running = inquiry.running
        if running is None or not running.done():
            return None
        inquiry.running, inquiry.is_answered = None, True
        try:
            return running.result()
        except ServiceError as error:
            self._silent_until[peer.name] = self.monotonic() + PEER_PAUSE_S
            self.emit(events.PEER_QUERY_FAILED, peer=peer.name, error=error.code)
            return None

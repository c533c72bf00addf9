"""Notes what became of every object of one attempt: a move in the journal, and its event.

Each note is a transaction of its own, made as soon as the peer has answered: a crash loses the
knowledge of at most one answer, and that object is asked for or sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.node.delivery.backoff import (
    CONFIRM_FIRST_S,
    Pace,
    confirm_pace,
    delay_s,
    is_expired,
    left_s,
    questions_within,
    retry_pace,
)
from app.node.journal.attention_kinds import COMMITMENT_OVERDUE
from app.node.journal.destinations import note_confirmation
from app.node.journal.engine import reading, transaction
from app.node.journal.parcels import advance, count_attempt, note, parcels_of
from app.node.journal.replaced import withdrawn_by
from app.node.journal.states import DeliveryEvent, DeliveryState
from app.node.telemetry.events import (
    DELIVERY_CONFIRMED,
    DELIVERY_DEAD,
    DELIVERY_DECLINED,
    DELIVERY_FAILED,
    DELIVERY_PARKED,
    DELIVERY_SENT,
    DELIVERY_UNCOMPRESSED,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Engine

    from app.node.journal.deliveries import DeliveryGroup
    from app.node.journal.parcels import Parcel
    from app.node.telemetry.events import Event
    from app.node.telemetry.logs import Emit
    from app.settings import DeliverySettings


class Ledger:
    """The journal's side of one attempt."""

    def __init__(
        self,
        engine: Engine,
        group: DeliveryGroup,
        settings: DeliverySettings,
        *,
        clock: Callable[[], float],
        emit: Emit,
    ) -> None:
        """Keep what every note needs."""
        self.group = group
        self.settings = settings
        self.engine = engine
        self.clock = clock
        self.emit = emit

    def now(self) -> float:
        """Time of day, epoch seconds."""
        return self.clock()

    def waiting(self) -> list[Parcel]:
        """Objects neither confirmed nor given up."""
        with reading(self.engine) as c:
            return parcels_of(c, self.group)

    def begin(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Count an attempt, before anything is sent; leaves out what was stopped or replaced."""
        with transaction(self.engine) as c:
            return count_attempt(c, self.group, parcels, self.clock())

    def sent(self, parcel: Parcel, status: int, *, is_uncompressed: bool = False) -> None:
        """Note that the peer acknowledged it, and whether it took no RLE Lossless."""
        now = self.clock()
        self._move(
            parcel,
            DeliveryEvent.ACKNOWLEDGE,
            sent_at=now,
            last_status=status,
            last_error="",
            is_uncompressed=int(is_uncompressed),
            commit_uid=None,
            commit_asked_at=None,
            next_attempt_at=now + self.settings.confirm_after_s,
        )

    def delivered(self, parcel: Parcel, confirmed_by: str) -> None:
        """Note that the peer holds it, or is taken at its word."""
        now = self.clock()
        with transaction(self.engine) as c:
            done = advance(
                c,
                parcel,
                DeliveryEvent.CONFIRM,
                delivered_at=now,
                sent_at=parcel.sent_at if parcel.sent_at is not None else now,
                confirmed_by=confirmed_by,
                last_error="",
                next_attempt_at=None,
            )
            if done:
                note_confirmation(c, self.group.destination, now, confirmed_by)
        if done:
            self._tell(DELIVERY_CONFIRMED)

    def parked(self, parcel: Parcel, error: str, status: int | None = None) -> None:
        """Note that the peer does not take this kind of object: a person decides."""
        done = self._move(
            parcel,
            DeliveryEvent.PARK,
            last_error=error,
            last_status=status,
            next_attempt_at=None,
        )
        if done:
            self._tell(DELIVERY_PARKED)

    def declined(self, parcel: Parcel, error: str, status: int | None = None) -> None:
        """Note that the peer does not take this kind of object, and need not."""
        done = self._move(
            parcel,
            DeliveryEvent.DECLINE,
            last_error=error,
            last_status=status,
            next_attempt_at=None,
        )
        if done:
            self._tell(DELIVERY_DECLINED, kind=parcel.kind)

    def dead(self, parcel: Parcel, error: str, status: int | None = None) -> None:
        """Give it up: a person decides."""
        done = self._move(
            parcel,
            DeliveryEvent.GIVE_UP,
            last_error=error,
            last_status=status,
            next_attempt_at=None,
        )
        if done:
            self._tell(DELIVERY_DEAD, error=error)

    def failed(
        self,
        parcel: Parcel,
        error: str,
        status: int | None = None,
        *,
        at_least_s: float = 0.0,
    ) -> None:
        """Queue it again, within the time allowed.

        Not before `at_least_s` have passed, which the peer asked for; but nobody keeps the node
        waiting for longer than the site's longest pause.
        """
        now = self.clock()
        if is_expired(parcel.released_at, now, self.settings):
            self.dead(parcel, error, status)
            return
        left = left_s(parcel.released_at, now, self.settings)
        wait_s = delay_s(parcel.attempts, parcel.delivery_id, retry_pace(self.settings), left)
        asked_s = min(at_least_s, self.settings.longest_delay_s, left)
        wait_s = max(wait_s, asked_s)
        self._move(
            parcel,
            DeliveryEvent.RETRY,
            last_error=error,
            last_status=status,
            next_attempt_at=now + wait_s,
            sent_at=None,
        )

    def unconfirmed(self, parcel: Parcel, error: str) -> None:
        """Have the peer asked again later whether it holds it, within the time allowed."""
        now = self.clock()
        if is_expired(parcel.released_at, now, self.settings):
            self.dead(parcel, error or parcel.last_error or "unconfirmed")
            return
        since_sent_s = now - (parcel.sent_at if parcel.sent_at is not None else now)
        wait_s = self.settings.confirm_after_s - since_sent_s
        if wait_s <= 0:
            # A peer that cannot answer at all is asked as seldom as one that takes nothing.
            slow = Pace(CONFIRM_FIRST_S, self.settings.longest_delay_s)
            pace = slow if error else confirm_pace(self.settings)
            wait_s = delay_s(questions_within(since_sent_s), parcel.delivery_id, pace)
        wait_s = min(wait_s, left_s(parcel.released_at, now, self.settings))
        self._note(parcel, last_error=error, next_attempt_at=now + wait_s)

    def asking(self, parcels: Sequence[Parcel], transaction_uid: str) -> None:
        """Note a request for storage commitment before it is made: its report may come first."""
        for parcel in parcels:
            self._note(parcel, commit_uid=transaction_uid, commit_asked_at=None)

    def asked(self, parcels: Sequence[Parcel]) -> None:
        """Note that the peer took the request; whoever has waited too long keeps that name."""
        now = self.clock()
        for parcel in parcels:
            self._note(
                parcel,
                commit_asked_at=now,
                last_error=self.lateness(parcel),
                next_attempt_at=now + self._commit_pause_s(parcel, now),
            )

    def uncommitted(self, parcel: Parcel) -> None:
        """Wait on for the report, within the time allowed."""
        now = self.clock()
        if is_expired(parcel.released_at, now, self.settings):
            self.dead(parcel, parcel.last_error or COMMITMENT_OVERDUE)
        else:
            pause_s = self._commit_pause_s(parcel, now)
            self._note(parcel, next_attempt_at=now + pause_s)

    @staticmethod
    def lateness(parcel: Parcel) -> str:
        """Name of what a person is told of an object that is asked for again; empty: nothing."""
        is_late = parcel.commit_asked_at is not None or parcel.last_error == COMMITMENT_OVERDUE
        return COMMITMENT_OVERDUE if is_late else ""

    def is_overdue(self, parcel: Parcel) -> bool:
        """Whether the report on a request is late, and there is time left to ask again."""
        now = self.clock()
        is_late = now - (parcel.commit_asked_at or 0.0) >= self.settings.commit_deadline_s
        return is_late and not is_expired(parcel.released_at, now, self.settings)

    def _commit_pause_s(self, parcel: Parcel, now: float) -> float:
        """Until the next look; the report itself is noted when it comes."""
        pauses = (self.settings.commit_deadline_s, self.settings.longest_delay_s)
        return max(0.0, min(*pauses, left_s(parcel.released_at, now, self.settings)))

    def unroutable(self, parcel: Parcel) -> None:
        """Note that its destination is no longer in the settings: a person decides."""
        if parcel.state == DeliveryState.SENT:
            self.dead(parcel, "destination_unknown")
        else:
            self.parked(parcel, "destination_unknown")

    def withdrawn(self, parcel: Parcel, revision: int) -> None:
        """Note that it is not sent any more, since a revision has replaced it."""
        self._move(parcel, DeliveryEvent.WITHDRAW, **withdrawn_by(revision, self.clock()))

    def postponed(
        self, parcels: Sequence[Parcel], pause_s: float, cause: str = "destination_paused"
    ) -> None:
        """Postpone what something holds up; give up what is out of time."""
        now = self.clock()
        for parcel in parcels:
            if is_expired(parcel.released_at, now, self.settings):
                self.dead(parcel, parcel.last_error or cause)
            else:
                wait_s = min(pause_s, left_s(parcel.released_at, now, self.settings))
                self._note(parcel, next_attempt_at=now + wait_s)

    def tell_sent(self, count: int) -> None:
        """Event: so many objects were acknowledged."""
        if count:
            self._tell(DELIVERY_SENT, count=count)

    def tell_uncompressed(self, count: int) -> None:
        """Event: so many objects were sent uncompressed, since the peer takes no RLE Lossless."""
        if count:
            self._tell(DELIVERY_UNCOMPRESSED, count=count)

    def tell_failed(self, error: str, attempt: int) -> None:
        """Event: an attempt failed."""
        self._tell(DELIVERY_FAILED, error=error, attempt=attempt)

    def _move(self, parcel: Parcel, event: DeliveryEvent, **facts: str | float | None) -> bool:
        with transaction(self.engine) as c:
            return advance(c, parcel, event, **facts)

    def _note(self, parcel: Parcel, **facts: str | float | None) -> None:
        with transaction(self.engine) as c:
            note(c, parcel, **facts)

    def _tell(self, event: Event, **values: object) -> None:
        self.emit(event, job=self.group.job_id, peer=self.group.destination, **values)

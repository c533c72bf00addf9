"""Looks what needs a person, and tells it once: worker and page both do, the faster one sends.

A frozen worker is told by the page, a frozen page by a worker. Who sends is settled in the journal
(`app.node.journal.alert_channels.claim`); a process that dies while it sends is replaced after a
while.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.errors import AlertNotSentError, JournalError
from app.node.alerts.channels import send_by
from app.node.alerts.messages import Change, Notice, is_alarm, message_of
from app.node.journal import alert_channels
from app.node.journal.alert_channels import Told, channel_state
from app.node.journal.engine import reading, transaction
from app.node.journal.lookout import Lookout
from app.node.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Engine

    from app.node.journal.alert_channels import ChannelState
    from app.node.journal.attention import AttentionRow
    from app.node.journal.lookout import Moment
    from app.node.telemetry.logs import Emit
    from app.settings import NodeSettings

CLAIM_S: Final = 120.0
"""How long a message belongs to the process that took it; longer than any way takes, s."""

FIRST_DELAY_S: Final = 30.0
LONGEST_DELAY_S: Final = 1800.0
_HOUR_S: Final = 3600.0


@dataclass(slots=True)
class Herald:
    """Tells people what needs them; used by one thread.

    Attributes
    ----------
    engine : Engine
        Journal.
    node : NodeSettings
        Alerts and everything they watch.
    moment : callable
        Clocks and disk, now.
    emit : Emit
        Event log.
    lookout : Lookout
        Of this process.
    """

    engine: Engine
    node: NodeSettings
    moment: Callable[[], Moment]
    emit: Emit
    lookout: Lookout = field(default_factory=Lookout)
    _due_since: dict[tuple[str, str, Change], float] = field(default_factory=dict)

    def tick(self) -> None:
        """Look once, and send what is due.

        Raises
        ------
        JournalError
            If the journal does not answer.
        """
        if not self.node.alerts.channels:
            return
        moment = self.moment()
        with reading(self.engine) as connection:
            rows = [
                row for row in self.lookout.look(connection, self.node, moment) if is_alarm(row)
            ]
            states = [channel_state(connection, name) for name in sorted(self.node.alerts.channels)]
        for state in states:
            self._serve(state, rows, moment)

    def start(self, stop: threading.Event) -> threading.Thread:
        """Run in a thread of its own, which a server that never answers cannot keep alive."""
        thread = threading.Thread(target=self.run, args=(stop,), name="alerts", daemon=True)
        thread.start()
        return thread

    def run(self, stop: threading.Event) -> None:
        """Look again and again until `stop` is set; a journal that is away is asked again."""
        while not stop.wait(self.node.alerts.look_every_s):
            try:
                self.tick()
            except JournalError:
                # The worker and the page tell that the journal is away.
                continue

    def _serve(self, state: ChannelState, rows: Sequence[AttentionRow], moment: Moment) -> None:
        notices = self._ripe(state.name, self._changes(state, rows, moment), moment)
        lowered = _lowered(state, rows)
        if not notices:
            if lowered != state.told:
                self._note_lowered(state, lowered)
            return
        if _is_waiting(state, moment.now):
            return
        with transaction(self.engine) as connection:
            if not alert_channels.claim(connection, state, moment.now + CLAIM_S):
                return
        message = message_of(
            rows,
            notices,
            node=self.node.listener.ae_title,
            at=moment.now,
            page_address=self.node.alerts.page_address,
        )
        try:
            send_by(state.name, self.node.alerts, message)
        except AlertNotSentError as error:
            self._note_failure(state, error)
        else:
            self._note_sent(state, lowered | _told(notices, moment.now), len(notices))

    def _changes(
        self, state: ChannelState, rows: Sequence[AttentionRow], moment: Moment
    ) -> list[Notice]:
        """Find what people do not know yet, or were told too long ago."""
        remind_s = self.node.alerts.remind_after_h * _HOUR_S
        notices = []
        for row in rows:
            if row.kind == "alert_failing" and state.failing_since is not None:
                # A channel cannot tell that it is out of order itself; the other one can.
                continue
            told = state.told.get(row.kind, _NOTHING)
            if row.count > told.count:
                notices.append(Notice(row=row, change=Change.RISEN))
            elif told.count and not row.count:
                notices.append(Notice(row=row, change=Change.RESOLVED))
            elif row.count and moment.now - told.at >= remind_s:
                notices.append(Notice(row=row, change=Change.REMINDER))
        return notices

    def _ripe(self, channel: str, notices: list[Notice], moment: Moment) -> list[Notice]:
        """Those that have been true for long enough: a restart of a process alarms nobody."""
        keys = {(channel, notice.row.kind, notice.change): notice for notice in notices}
        for key in [key for key in self._due_since if key[0] == channel and key not in keys]:
            del self._due_since[key]
        for key in keys:
            self._due_since.setdefault(key, moment.monotonic_s)
        after_s = self.node.alerts.after_s
        return [
            notice
            for key, notice in keys.items()
            if moment.monotonic_s - self._due_since[key] >= after_s
        ]

    def _note_lowered(self, state: ChannelState, told: dict[str, Told]) -> None:
        """Fewer need a person: the next rise is news again, and this is none."""
        with transaction(self.engine) as connection:
            if channel_state(connection, state.name).version == state.version:
                alert_channels.note_told(connection, state.name, told)

    def _note_sent(self, state: ChannelState, told: dict[str, Told], count: int) -> None:
        with transaction(self.engine) as connection:
            alert_channels.note_told(connection, state.name, told)
            alert_channels.note_sent(connection, state.name, self.moment().now)
        self.emit(events.ALERT_SENT, channel=state.name, count=count)

    def _note_failure(self, state: ChannelState, error: AlertNotSentError) -> None:
        now, name = self.moment().now, error.reasons[0]
        retry_at = now + min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(state.failures, 16))
        with transaction(self.engine) as connection:
            alert_channels.note_failure(connection, state.name, now, error=name, retry_at=retry_at)
        self.emit(events.ALERT_FAILED, channel=state.name, error=name)


def _is_waiting(state: ChannelState, now: float) -> bool:
    """Whether it is too early; a time further off than any delay is from before a clock jump."""
    at = state.next_attempt_at
    return at is not None and now < at <= now + LONGEST_DELAY_S


def _lowered(state: ChannelState, rows: Sequence[AttentionRow]) -> dict[str, Told]:
    """Lower what people know to what is true by now; down to 0 it is news."""
    counts = {row.kind: row.count for row in rows}
    return {
        kind: Told(count=min(told.count, counts.get(kind, 0)) or told.count, at=told.at)
        for kind, told in state.told.items()
    }


def _told(notices: Sequence[Notice], now: float) -> dict[str, Told]:
    return {notice.row.kind: Told(count=notice.row.count, at=now) for notice in notices}


_NOTHING: Final = Told(count=0, at=0.0)

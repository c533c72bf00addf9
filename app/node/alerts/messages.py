"""What an alert says: kinds, numbers and times; no patient, series or object is ever named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from app import __version__
from app.node.journal.attention import alarms
from app.node.journal.attention_kinds import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.node.journal.attention import AttentionRow


class Change(StrEnum):
    """Why something is told."""

    RISEN = "risen"
    """More need a person than was told last."""
    REMINDER = "reminder"
    """They still do, and the last word about it is a while ago."""
    RESOLVED = "resolved"
    """None does any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One line of an alert."""

    row: AttentionRow
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One alert.

    Attributes
    ----------
    node : str
        The node's AE title.
    at : float
        Epoch seconds.
    notices : tuple of Notice
        What changed; empty: a test message.
    total : int
        How many things need a person now.
    page_address : str or None
        Of the page, for links.
    """

    node: str
    at: float
    notices: tuple[Notice, ...]
    total: int
    page_address: str | None = None

    @property
    def sent_at(self) -> datetime:
        """When it was put together, UTC."""
        return datetime.fromtimestamp(self.at, tz=UTC)

    @property
    def subject(self) -> str:
        """One line, for a mail."""
        if not self.notices:
            return f"SPINEPS Node {self.node}: test message"
        if not self.total:
            return f"SPINEPS Node {self.node}: resolved"
        verb = "thing needs" if self.total == 1 else "things need"
        return f"SPINEPS Node {self.node}: {self.total} {verb} a person"

    @property
    def text(self) -> str:
        """Plain text, for a mail."""
        lines = [_line(notice) for notice in self.notices]
        if not lines:
            lines = ["This is a test message: alerts of this node arrive here."]
        lines += ["", f"Needs a person now: {self.total}."]
        if self.page_address:
            lines.append(f"Page: {self.page_address.rstrip('/')}/attention")
        lines.append(f"SPINEPS Node {__version__}.")
        return "\n".join(lines) + "\n"

    @property
    def document(self) -> dict[str, Any]:
        """Plain data, for a webhook."""
        return {
            "node": self.node,
            "version": __version__,
            "at": _iso(self.at),
            "event": "attention" if self.notices else "test",
            "needs_person": self.total,
            "page": self.page_address,
            "text": self.text,
            "changes": [
                {
                    "kind": notice.row.kind,
                    "change": str(notice.change),
                    "title": notice.row.title,
                    "count": notice.row.count,
                    "oldest_at": _iso(notice.row.oldest_at),
                    "page": notice.row.page,
                }
                for notice in self.notices
            ],
        }


def message_of(
    rows: Sequence[AttentionRow],
    notices: Sequence[Notice],
    *,
    node: str,
    at: float,
    page_address: str | None,
) -> Message:
    """Put an alert together from everything that needs a person, and what changed of it."""
    return Message(
        node=node, at=at, notices=tuple(notices), total=alarms(rows), page_address=page_address
    )


def is_alarm(row: AttentionRow) -> bool:
    """Whether people are told about it; tasks are planned work."""
    return row.severity == Severity.ALARM


def _line(notice: Notice) -> str:
    row = notice.row
    if notice.change is Change.RESOLVED:
        return f"RESOLVED: {row.title}: none any more."
    since = _iso(row.oldest_at)
    told = f"{row.title}: {row.count}" + (f", the oldest since {since}" if since else "")
    return f"{'STILL' if notice.change is Change.REMINDER else 'NEW'}: {told}."


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")

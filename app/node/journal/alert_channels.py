"""What every alert channel has told last, and how sending fares, over restarts and processes."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.node.journal.tables import ALERT_CHANNEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

_LONGEST_ERROR = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told last of one kind.

    Attributes
    ----------
    count : int
        How many needed a person; a message is due when it rises above this.
    at : float
        When, epoch seconds.
    """

    count: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """How one channel fares; times are epoch seconds.

    Attributes
    ----------
    name : str
        ``mail`` or ``webhook``.
    version : int
        Changes with every claim; whoever claims with an old one comes too late.
    told : mapping
        Kind -> what was told last; a kind that is not in it is all right as far as people know.
    sent_at : float or None
        Of the last message that was taken.
    next_attempt_at : float or None
        Not before this time, after a failure or while another process sends.
    failures : int
        In a row.
    failing_since : float or None
        Of the first of them.
    last_error : str
        Name of the last one.
    """

    name: str
    version: int = 0
    told: Mapping[str, Told] = field(default_factory=dict)
    sent_at: float | None = None
    next_attempt_at: float | None = None
    failures: int = 0
    failing_since: float | None = None
    last_error: str = ""


def channel_state(c: Connection, name: str) -> ChannelState:
    """State of a channel; a new one has told nothing."""
    row = c.execute(sa.select(ALERT_CHANNEL).where(ALERT_CHANNEL.c.name == name)).first()
    if row is None:
        return ChannelState(name=name)
    told = {
        kind: Told(count=int(entry["count"]), at=float(entry["at"]))
        for kind, entry in json.loads(row.told).items()
    }
    return ChannelState(
        name=name,
        version=row.version,
        told=told,
        sent_at=row.sent_at,
        next_attempt_at=row.next_attempt_at,
        failures=row.failures,
        failing_since=row.failing_since,
        last_error=row.last_error,
    )


def make_known(c: Connection, name: str) -> None:
    """Make the row of a channel, unless it is there."""
    row = c.execute(sa.select(ALERT_CHANNEL.c.name).where(ALERT_CHANNEL.c.name == name)).first()
    if row is None:
        # Two processes may meet here once in a channel's life.
        with suppress(IntegrityError), c.begin_nested():
            c.execute(ALERT_CHANNEL.insert().values(name=name, version=0, told="{}", failures=0))


def claim(c: Connection, seen: ChannelState, until: float) -> bool:
    """Take the next message of a channel, so that no other process sends it, too.

    Parameters
    ----------
    c : Connection
        A transaction.
    seen : ChannelState
        As it was read.
    until : float
        When others may try if nothing comes of it, epoch seconds.

    Returns
    -------
    bool
        Whether it is the caller's.
    """
    if not seen.version:
        make_known(c, seen.name)
    this = (ALERT_CHANNEL.c.name == seen.name) & (ALERT_CHANNEL.c.version == seen.version)
    changed = c.execute(
        ALERT_CHANNEL.update().where(this).values(version=seen.version + 1, next_attempt_at=until)
    )
    return changed.rowcount > 0


def note_told(c: Connection, name: str, told: Mapping[str, Told]) -> None:
    """Note what people know by now."""
    c.execute(
        ALERT_CHANNEL.update().where(ALERT_CHANNEL.c.name == name).values(told=_as_json(told))
    )


def note_sent(c: Connection, name: str, now: float) -> None:
    """Note that the channel took a message."""
    values = {"sent_at": now, "next_attempt_at": None, "failures": 0, "failing_since": None}
    c.execute(
        ALERT_CHANNEL.update().where(ALERT_CHANNEL.c.name == name).values(**values, last_error="")
    )


def note_failure(c: Connection, name: str, now: float, *, error: str, retry_at: float) -> None:
    """Note that the channel did not take a message."""
    c.execute(
        ALERT_CHANNEL.update()
        .where(ALERT_CHANNEL.c.name == name)
        .values(
            failures=ALERT_CHANNEL.c.failures + 1,
            failing_since=sa.func.coalesce(ALERT_CHANNEL.c.failing_since, now),
            next_attempt_at=retry_at,
            last_error=error[:_LONGEST_ERROR],
        )
    )


def _as_json(told: Mapping[str, Told]) -> str:
    return json.dumps({kind: {"count": one.count, "at": one.at} for kind, one in told.items()})

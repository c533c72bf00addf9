"""What needs a person: the one count that page, API, metrics and alerts all read.

What a person has seen and nothing else would end is acknowledged: it stays where it is, with its
state, and is not counted any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from app.node.journal.attention_kinds import KINDS, OBSERVED, Found, Severity
from app.node.journal.attention_subjects import SUBJECTS
from app.node.journal.tables import (
    ACKNOWLEDGEMENT,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRow:
    """How much of one kind needs a person now.

    Attributes
    ----------
    kind : str
        Key of `KINDS`.
    severity, title, page : str
        Of the kind.
    count : int
        How many.
    oldest_at : float or None
        Since when the oldest of them does, epoch seconds.
    """

    kind: str
    severity: str
    title: str
    page: str
    count: int
    oldest_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the journal alone does not know.

    Attributes
    ----------
    observed : mapping
        Kind of `OBSERVED` -> what was found.
    destinations : frozenset of str
        Names in the settings; others are paused for nobody.
    channels : frozenset of str
        Alert channels in the settings.
    """

    observed: Mapping[str, list[Found]] = field(default_factory=dict)
    destinations: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()


def read_attention(connection: Connection, circumstances: Circumstances) -> list[AttentionRow]:
    """Count what needs a person, by kind.

    Parameters
    ----------
    connection : Connection
        Reading.
    circumstances : Circumstances
        What the journal does not know.

    Returns
    -------
    list of AttentionRow
        Every kind, in the order of the table, with 0 where there is nothing.
    """
    rows = []
    for kind, about in KINDS.items():
        count, oldest = _count(connection, kind, circumstances)
        rows.append(
            AttentionRow(
                kind=kind,
                severity=str(about.severity),
                title=about.title,
                page=about.page,
                count=count,
                oldest_at=oldest,
            )
        )
    return rows


def alarms(rows: Iterable[AttentionRow]) -> int:
    """Give the number "needs a person": alarms only."""
    return sum(row.count for row in rows if row.severity == Severity.ALARM)


def list_found(connection: Connection, kind: str, *, limit: int, offset: int = 0) -> list[Found]:
    """List what is found in the journal of a kind, the newest first, without what was seen.

    Parameters
    ----------
    connection : Connection
        Reading.
    kind : str
        Of `KINDS`, not of `OBSERVED`.
    limit, offset : int
        Which part.

    Returns
    -------
    list of Found
        Subjects are ids of jobs, series and deliveries, spool paths of objects, names.
    """
    found = _unseen(kind)
    query = sa.select(found).order_by(found.c.since.desc(), found.c.subject)
    return [Found(*row) for row in connection.execute(query.limit(limit).offset(offset))]


def is_unseen(connection: Connection, kind: str, subject: str) -> bool:
    """Whether a subject counts among a kind of the journal."""
    found = _unseen(kind)
    query = sa.select(sa.literal(1)).where(found.c.subject == subject)
    return connection.execute(query).first() is not None


def acknowledge(
    connection: Connection, kind: str, now: float, *, subject: str | None, until: float | None
) -> int:
    """Note that a person has seen things of a kind.

    Parameters
    ----------
    connection : Connection
        A transaction.
    kind : str
        Of `KINDS`; only of those that can be acknowledged, and not of `OBSERVED`.
    now : float
        Epoch seconds.
    subject : str or None
        This one; None: every one.
    until : float or None
        Only what began by then: what the person cannot have seen is not dismissed with the rest.

    Returns
    -------
    int
        How many are not counted any more.
    """
    if not KINDS[kind].can_acknowledge or kind in OBSERVED:
        return 0
    found = _unseen(kind)
    chosen = sa.true() if subject is None else found.c.subject == subject
    if until is not None:
        chosen &= sa.func.coalesce(found.c.since, 0.0) <= until
    earlier = ACKNOWLEDGEMENT.c.subject.in_(sa.select(found.c.subject).where(chosen))
    connection.execute(ACKNOWLEDGEMENT.delete().where(ACKNOWLEDGEMENT.c.kind == kind, earlier))
    # Not the insert's own count of rows: psycopg does not tell it.
    chosen_rows = sa.select(sa.func.count()).select_from(found).where(chosen)
    count = int(connection.execute(chosen_rows).scalar_one())
    rows = sa.select(sa.literal(kind), found.c.subject, found.c.stamp, sa.literal(now))
    columns = ["kind", "subject", "stamp", "at"]
    connection.execute(ACKNOWLEDGEMENT.insert().from_select(columns, rows.where(chosen)))
    return count


def acknowledge_observed(
    connection: Connection, kind: str, now: float, found: Iterable[Found]
) -> int:
    """Note that a person has seen things that were handed in; how many."""
    if not KINDS[kind].can_acknowledge:
        return 0
    fresh = without_seen(connection, kind, list(found))
    for one in fresh:
        this = (ACKNOWLEDGEMENT.c.kind == kind) & (ACKNOWLEDGEMENT.c.subject == one.subject)
        connection.execute(ACKNOWLEDGEMENT.delete().where(this))
        row = {"kind": kind, "subject": one.subject, "stamp": one.stamp, "at": now}
        connection.execute(ACKNOWLEDGEMENT.insert().values(row))
    return len(fresh)


def without_seen(connection: Connection, kind: str, found: list[Found]) -> list[Found]:
    """Leave out what a person has seen."""
    if not found or not KINDS[kind].can_acknowledge:
        return found
    query = sa.select(ACKNOWLEDGEMENT.c.subject, ACKNOWLEDGEMENT.c.stamp)
    seen = {tuple(row) for row in connection.execute(query.where(ACKNOWLEDGEMENT.c.kind == kind))}
    return [one for one in found if (one.subject, one.stamp) not in seen]


def _count(
    connection: Connection, kind: str, circumstances: Circumstances
) -> tuple[int, float | None]:
    if kind in OBSERVED:
        found = without_seen(connection, kind, list(circumstances.observed.get(kind, ())))
        return len(found), min((one.since for one in found if one.since is not None), default=None)
    unseen = _unseen(kind)
    query = sa.select(sa.func.count(), sa.func.min(unseen.c.since))
    named = {
        "destination_paused": circumstances.destinations,
        "alert_failing": circumstances.channels,
    }
    if kind in named:
        query = query.where(unseen.c.subject.in_(sorted(named[kind])))
    count, oldest = connection.execute(query).one()
    return int(count), oldest


def _unseen(kind: str) -> sa.Subquery:
    """Subject, since and stamp of what is found in the journal and was not seen."""
    found = SUBJECTS[kind]
    if not KINDS[kind].can_acknowledge:
        return found.subquery()
    whole = found.subquery()
    seen = sa.exists().where(
        ACKNOWLEDGEMENT.c.kind == kind,
        ACKNOWLEDGEMENT.c.subject == whole.c.subject,
        ACKNOWLEDGEMENT.c.stamp == whole.c.stamp,
    )
    return sa.select(whole).where(~seen).subquery()

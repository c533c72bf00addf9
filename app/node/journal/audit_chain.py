"""The audit trail as a chain: each row's digest covers the row and the digest of the one before.

Whoever changes, removes or inserts a row has to make all later digests anew, too. Who may write
the whole database can do that; then the digests that the audit server was sent do not match.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.node.journal.tables import AUDIT, AUDIT_PLACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

_END: Final = "end"
_SENT: Final = "sent"
_COVERED: Final = ("at", "actor", "role", "address", "action", "subject", "detail")
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Link:
    """Place of a row in the chain.

    Attributes
    ----------
    number : int
        From 1 on, without a gap.
    digest : str
        SHA-256, 64 hex digits.
    """

    number: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an examination of the chain found.

    Attributes
    ----------
    end : Link
        The last row that holds.
    broken_at : int or None
        Number of the first row that does not; 1 also where rows older than the chain changed.
    """

    end: Link
    broken_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedDeed:
    """A row with its place; fields as in `app.node.journal.audit.Deed`."""

    at: float
    actor: str
    role: str
    address: str
    action: str
    subject: str
    detail: str
    number: int
    digest: str

    @property
    def link(self) -> Link:
        """Its place."""
        return Link(self.number, self.digest)


def next_link(connection: Connection, values: Mapping[str, Any]) -> Link:
    """Place of a row that is appended now; others wait until the transaction ends.

    Parameters
    ----------
    connection : Connection
        A transaction that writes.
    values : mapping
        Columns of the row.

    Returns
    -------
    Link
        To be stored with the row.
    """
    end = _end_of(connection)
    return Link(end.number + 1, _digest(end, values))


def note_end(connection: Connection, link: Link) -> None:
    """Note that the row is there."""
    connection.execute(
        AUDIT_PLACE.update()
        .where(AUDIT_PLACE.c.name == _END)
        .values(number=link.number, digest=link.digest)
    )


def verify(connection: Connection) -> Verdict:
    """Compute every digest again.

    Parameters
    ----------
    connection : Connection
        One snapshot.

    Returns
    -------
    Verdict
        Names the first row that was changed, or is missing.
    """
    link = Link(0, _digest_of_older(connection))
    while rows := connection.execute(_after(link.number)).all():
        for row in rows:
            made = Link(link.number + 1, _digest(link, row._asdict()))
            if (row.number, row.digest) != (made.number, made.digest):
                return Verdict(end=link, broken_at=made.number)
            link = made
    noted = connection.execute(_place()).first()
    is_whole = (0 if noted is None else noted.number) == link.number
    return Verdict(end=link, broken_at=None if is_whole else link.number + 1)


def digest_at(connection: Connection, number: int) -> str | None:
    """Digest of a row; None where there is no row of that number."""
    query = sa.select(AUDIT.c.digest).where(AUDIT.c.number == number)
    return connection.execute(query).scalar_one_or_none()


def rows_after(connection: Connection, number: int, limit: int) -> list[ChainedDeed]:
    """Rows behind that number, in their order."""
    rows = connection.execute(_after(number).limit(limit))
    names = (*_COVERED, "number", "digest")
    return [ChainedDeed(**{name: getattr(row, name) for name in names}) for row in rows]


def sent_until(connection: Connection) -> int:
    """Look up the number of the last row that the audit server took; 0 before the first."""
    query = sa.select(AUDIT_PLACE.c.number).where(AUDIT_PLACE.c.name == _SENT)
    return connection.execute(query).scalar_one_or_none() or 0


def note_sent(connection: Connection, link: Link) -> None:
    """Note that the audit server took every row up to this one."""
    values = {"number": link.number, "digest": link.digest}
    is_it = AUDIT_PLACE.c.name == _SENT
    if not connection.execute(AUDIT_PLACE.update().where(is_it).values(**values)).rowcount:
        connection.execute(AUDIT_PLACE.insert().values(name=_SENT, **values))


def _end_of(connection: Connection) -> Link:
    noted = connection.execute(_place().with_for_update()).first()
    if noted is None:
        _make_end(connection)
        noted = connection.execute(_place().with_for_update()).one()
    return Link(noted.number, noted.digest)


def _make_end(connection: Connection) -> None:
    """Begin the chain; after a rebuilt journal go on where its rows end."""
    query = sa.select(AUDIT.c.number, AUDIT.c.digest).where(AUDIT.c.number.is_not(None))
    last = connection.execute(query.order_by(AUDIT.c.number.desc()).limit(1)).first()
    end = Link(0, _digest_of_older(connection)) if last is None else Link(*last)
    # Two processes may meet here once in a journal's life.
    with suppress(IntegrityError), connection.begin_nested():
        connection.execute(
            AUDIT_PLACE.insert().values(name=_END, number=end.number, digest=end.digest)
        )


def _place() -> sa.Select[tuple[int, str]]:
    return sa.select(AUDIT_PLACE.c.number, AUDIT_PLACE.c.digest).where(AUDIT_PLACE.c.name == _END)


def _after(number: int) -> sa.Select[Any]:
    later = sa.select(AUDIT).where(AUDIT.c.number > number)
    return later.order_by(AUDIT.c.number).limit(_BATCH)


def _digest(before: Link, values: Mapping[str, Any]) -> str:
    told = [before.number + 1, *(values[name] for name in _COVERED)]
    return _sha256(f"{before.digest}\n{json.dumps(told)}")


def _digest_of_older(connection: Connection) -> str:
    """Digest of the rows that were there before the chain was; they are its beginning."""
    older = sa.select(AUDIT).where(AUDIT.c.number.is_(None)).order_by(AUDIT.c.audit_id)
    columns = ("audit_id", "at", "actor", "action", "subject", "detail")
    rows = ([row._asdict()[name] for name in columns] for row in connection.execute(older))
    return _sha256("\n".join(json.dumps(row) for row in rows))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

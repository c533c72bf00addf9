"""Who did or saw what on the page or the API: append only, nothing here is ever changed or removed.

Every row holds the digest of the one before it (`app.node.journal.audit_chain`), so that a row
that is changed, removed or put in between shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import sqlalchemy as sa

from app.node.journal.audit_chain import next_link, note_end
from app.node.journal.tables import AUDIT

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

VIEWS: Final = ("list.view", "study.view", "series.view", "job.view", "file.view", "delivery.view")
"""Deeds that change nothing: somebody saw what belongs to a patient."""

_LONGEST = {"actor": 64, "action": 32, "subject": 64, "role": 16, "address": 64}
"""Widths of the columns; PostgreSQL refuses longer values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person, or a program that acts for one.

    Attributes
    ----------
    name : str
        ``local``, the account, or the name that the provider or the authenticating proxy gives.
    role : str
        By which it was allowed.
    address : str
        Where the request came from.
    """

    name: str
    role: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One action of a person or of a program that acts for one.

    Attributes
    ----------
    at : float
        Epoch seconds.
    actor : str
        ``local``, or the name that log-in, token or authenticating proxy give.
    action : str
        Such as ``job.replay``.
    subject : str
        Id of the job, delivery or series.
    detail : str
        ``done``, or why nothing happened.
    role, address : str
        As in `Actor`; empty where the node itself acts.
    """

    at: float
    actor: str
    action: str
    subject: str
    detail: str = ""
    role: str = ""
    address: str = ""


def deed_of(actor: Actor, *, at: float, action: str, subject: str, detail: str = "") -> Deed:
    """Put together what `actor` did."""
    return Deed(
        at=at,
        actor=actor.name,
        action=action,
        subject=subject,
        detail=detail,
        role=actor.role,
        address=actor.address,
    )


def record_deed(connection: Connection, deed: Deed) -> None:
    """Append it, in the transaction that did it."""
    values: dict[str, Any] = {
        name: getattr(deed, name)[:width] for name, width in _LONGEST.items()
    } | {"at": deed.at, "detail": deed.detail}
    link = next_link(connection, values)
    connection.execute(
        AUDIT.insert().values(
            audit_id=uuid4().hex, number=link.number, digest=link.digest, **values
        )
    )
    note_end(connection, link)


def list_deeds(
    connection: Connection,
    *,
    limit: int = 50,
    offset: int = 0,
    subject: str | None = None,
    has_views: bool = False,
) -> list[Deed]:
    """Actions, the newest first; of one subject where it is given, with views where wanted."""
    query = sa.select(AUDIT).order_by(AUDIT.c.at.desc(), AUDIT.c.number.desc())
    if subject is not None:
        query = query.where(AUDIT.c.subject == subject)
    if not has_views:
        query = query.where(AUDIT.c.action.not_in(VIEWS))
    return [
        Deed(
            at=row.at,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            detail=row.detail,
            role=row.role or "",
            address=row.address or "",
        )
        for row in connection.execute(query.limit(limit).offset(offset))
    ]

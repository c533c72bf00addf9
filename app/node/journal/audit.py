"""Who did what on the page or the API: append only, nothing here is ever changed or removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import sqlalchemy as sa

from app.node.journal.tables import AUDIT

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_LONGEST = {"actor": 64, "action": 32, "subject": 64}
"""Widths of the columns; PostgreSQL refuses longer values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One action of a person or of a program that acts for one.

    Attributes
    ----------
    at : float
        Epoch seconds.
    actor : str
        ``local``, or the name that the authenticating proxy gives.
    action : str
        Such as ``job.replay``.
    subject : str
        Id of the job, delivery or series.
    detail : str
        ``done``, or why nothing happened.
    """

    at: float
    actor: str
    action: str
    subject: str
    detail: str = ""


def record_deed(connection: Connection, deed: Deed) -> None:
    """Append it, in the transaction that did it."""
    values = {name: getattr(deed, name)[:width] for name, width in _LONGEST.items()}
    connection.execute(
        AUDIT.insert().values(audit_id=uuid4().hex, at=deed.at, detail=deed.detail, **values)
    )


def list_deeds(
    connection: Connection, *, limit: int = 50, offset: int = 0, subject: str | None = None
) -> list[Deed]:
    """Actions, the newest first; of one subject where it is given."""
    query = sa.select(AUDIT).order_by(AUDIT.c.at.desc(), AUDIT.c.audit_id)
    if subject is not None:
        query = query.where(AUDIT.c.subject == subject)
    return [
        Deed(
            at=row.at,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            detail=row.detail,
        )
        for row in connection.execute(query.limit(limit).offset(offset))
    ]

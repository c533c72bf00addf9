"""Who is logged in on the page. The cookie itself is not kept: its digest is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from app.node.journal.tables import PAGE_SESSION

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSession:
    """One browser that is logged in; times are epoch seconds.

    Attributes
    ----------
    digest : str
        SHA-256 of the cookie's value.
    name : str
        Of the person.
    way : str
        ``password`` or ``openid``.
    role : str
        At log-in; of an account its present role counts.
    began_at, seen_at : float
        Log-in, and last page that the person asked for.
    """

    digest: str
    name: str
    way: str
    role: str
    began_at: float
    seen_at: float


def begin_session(c: Connection, session: PageSession) -> None:
    """Keep it."""
    c.execute(
        PAGE_SESSION.insert().values(
            digest=session.digest,
            name=session.name,
            way=session.way,
            role=session.role,
            began_at=session.began_at,
            seen_at=session.seen_at,
        )
    )


def find_session(c: Connection, digest: str) -> PageSession | None:
    """Session of a cookie, over or not."""
    row = c.execute(sa.select(PAGE_SESSION).where(PAGE_SESSION.c.digest == digest)).first()
    if row is None:
        return None
    return PageSession(
        digest=row.digest,
        name=row.name,
        way=row.way,
        role=row.role,
        began_at=row.began_at,
        seen_at=row.seen_at,
    )


def note_activity(c: Connection, digest: str, now: float) -> None:
    """Note that the person asked for a page."""
    c.execute(PAGE_SESSION.update().where(PAGE_SESSION.c.digest == digest).values(seen_at=now))


def end_session(c: Connection, digest: str) -> None:
    """Forget one."""
    c.execute(PAGE_SESSION.delete().where(PAGE_SESSION.c.digest == digest))


def end_sessions_of(c: Connection, name: str) -> None:
    """Forget every log-in by password of an account: it was disabled, or its password changed."""
    is_its = (PAGE_SESSION.c.name == name) & (PAGE_SESSION.c.way == "password")
    c.execute(PAGE_SESSION.delete().where(is_its))


def sweep_sessions(c: Connection, *, began_before: float, seen_before: float) -> None:
    """Forget those that are over."""
    is_over = (PAGE_SESSION.c.began_at < began_before) | (PAGE_SESSION.c.seen_at < seen_before)
    c.execute(PAGE_SESSION.delete().where(is_over))

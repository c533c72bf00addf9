"""Failed log-ins in a row, by account and by address, and until when no more are taken."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.node.journal.tables import FAILED_LOG_IN

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """How many attempts one subject has.

    Attributes
    ----------
    kind : str
        ``account`` or ``address``.
    subject : str
        Keyed digest of the name, or the address.
    most : int
        Attempts in a row.
    lock_s : float
        How long it is locked after them, s; a pause as long as this ends the row.
    """

    kind: str
    subject: str
    most: int
    lock_s: float


def locked_until(c: Connection, bound: Bound, now: float) -> float | None:
    """End of the lock, epoch seconds; None where there is none."""
    row = c.execute(_row_of(bound)).first()
    is_locked = row is not None and row.locked_until is not None and row.locked_until > now
    return float(row.locked_until) if row is not None and is_locked else None


def count_attempt(c: Connection, bound: Bound, now: float) -> None:
    """Count an attempt before it is judged, so that many at once are no way around the bound."""
    row = c.execute(_row_of(bound).with_for_update()).first()
    if row is None:
        # Two processes may meet here at the first attempt.
        with suppress(IntegrityError), c.begin_nested():
            c.execute(FAILED_LOG_IN.insert().values(**_key(bound), failures=0, last_at=now))
        row = c.execute(_row_of(bound).with_for_update()).one()
    goes_on = row.locked_until is None and now - row.last_at < bound.lock_s
    failures = row.failures + 1 if goes_on else 1
    locked = now + bound.lock_s if failures >= bound.most else None
    c.execute(
        FAILED_LOG_IN.update()
        .where(_is(bound))
        .values(failures=failures, last_at=now, locked_until=locked)
    )


def forget_attempts(c: Connection, bound: Bound) -> None:
    """Begin anew: a log-in succeeded, or an administrator ended the lock."""
    c.execute(FAILED_LOG_IN.delete().where(_is(bound)))


def forget_old_attempts(c: Connection, before: float) -> None:
    """Rows that count no more: who tries names at random must not fill the journal."""
    c.execute(FAILED_LOG_IN.delete().where(FAILED_LOG_IN.c.last_at < before))


def _row_of(bound: Bound) -> sa.Select[Any]:
    return sa.select(FAILED_LOG_IN).where(_is(bound))


def _key(bound: Bound) -> dict[str, str]:
    return {"kind": bound.kind, "subject": bound.subject}


def _is(bound: Bound) -> sa.ColumnElement[bool]:
    return (FAILED_LOG_IN.c.kind == bound.kind) & (FAILED_LOG_IN.c.subject == bound.subject)

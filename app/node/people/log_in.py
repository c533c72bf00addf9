"""Logging in by name and password: bounded guesses, a new session, and a row for every attempt."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from app.node.journal import accounts, failed_log_ins, page_sessions
from app.node.journal.audit import Actor, deed_of, record_deed
from app.node.journal.engine import reading, transaction
from app.node.journal.failed_log_ins import Bound
from app.node.journal.page_sessions import PageSession
from app.node.people.credentials import (
    BusyError,
    digest_of,
    hash_password,
    is_password,
    needs_new_hash,
)
from app.node.people.roles import Person, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection, Engine

    from app.node.journal.accounts import Account
    from app.settings.people import PeopleSettings

_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
_COOKIE_BYTES: Final = 32
UNKNOWN: Final = "unknown"
"""Stands in the audit trail for a name that is no account: people type passwords there."""


class Refused(StrEnum):
    """Why somebody is not let in."""

    WRONG = "wrong"
    LOCKED = "locked"
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody typed, where, and when.

    Attributes
    ----------
    name, password : str
        As typed.
    address : str
        Where the request came from.
    now : float
        Epoch seconds.
    """

    name: str
    password: str = field(repr=False)
    address: str
    now: float


@dataclass(frozen=True, slots=True)
class Door:
    """What log-ins are judged by.

    Attributes
    ----------
    engine : Engine
        Journal.
    settings : PeopleSettings
        Bounds.
    secret : bytes
        The site's secret.
    """

    engine: Engine
    settings: PeopleSettings
    secret: bytes = field(repr=False)

    def bounds_of(self, name: str, address: str) -> tuple[Bound, Bound]:
        """How often an account, and an address, may fail."""
        lock_s = self.settings.lock_min * _MINUTE_S
        key = hmac.new(self.secret, b"log-in " + name.encode(), hashlib.sha256).hexdigest()
        of_account = Bound(kind="account", subject=key, most=self.settings.failures, lock_s=lock_s)
        most = self.settings.address_failures
        return of_account, Bound(kind="address", subject=address[:64], most=most, lock_s=lock_s)

    def log_in(self, attempt: Attempt) -> str | Refused:
        """Judge an attempt.

        Parameters
        ----------
        attempt : Attempt
            What was typed.

        Returns
        -------
        str or Refused
            Value of the cookie of a new session, or why there is none.
        """
        bounds = self.bounds_of(attempt.name, attempt.address)
        with reading(self.engine) as c:
            account = accounts.find_account(c, attempt.name)
            if _is_locked(c, bounds, attempt.now):
                return Refused.LOCKED
        with transaction(self.engine) as c:
            # Again, now that nobody else counts meanwhile.
            if _is_locked(c, bounds, attempt.now):
                return Refused.LOCKED
            for bound in bounds:
                failed_log_ins.count_attempt(c, bound, attempt.now)
        may_enter = account is not None and account.kind == "person" and not account.is_disabled
        try:
            fits = is_password(
                attempt.password, account.secret if account is not None and may_enter else None
            )
        except BusyError:
            return Refused.BUSY
        if account is None or not fits:
            self._note_failure(attempt, account, bounds)
            return Refused.WRONG
        return self._enter(attempt, account, bounds)

    def _note_failure(
        self, attempt: Attempt, account: Account | None, bounds: Sequence[Bound]
    ) -> None:
        name = UNKNOWN if account is None else account.name
        with transaction(self.engine) as c:
            is_locked = _is_locked(c, bounds, attempt.now)
            actor = Actor(name=name, address=attempt.address)
            detail = "locked from now on" if is_locked else ""
            record_deed(
                c,
                deed_of(actor, at=attempt.now, action="log_in.failed", subject=name, detail=detail),
            )

    def _enter(self, attempt: Attempt, account: Account, bounds: Sequence[Bound]) -> str:
        person = Person(
            name=account.name, role=Role(account.role), way="password", address=attempt.address
        )
        renewed = hash_password(attempt.password) if needs_new_hash(account.secret) else None
        with transaction(self.engine) as c:
            for bound in bounds:
                failed_log_ins.forget_attempts(c, bound)
            if renewed is not None:
                accounts.change_account(c, account.name, attempt.now, secret=renewed)
            accounts.note_seen(c, account.name, attempt.now)
            return begin(c, person, self.settings, attempt.now)


def begin(c: Connection, person: Person, settings: PeopleSettings, now: float) -> str:
    """Begin a session, and write down whose.

    Parameters
    ----------
    c : Connection
        A transaction that writes.
    person : Person
        Who has shown who it is.
    settings : PeopleSettings
        How long sessions last.
    now : float
        Epoch seconds.

    Returns
    -------
    str
        Value of the cookie: 256 bits of chance; the journal keeps its digest.
    """
    page_sessions.sweep_sessions(
        c,
        began_before=now - settings.longest_h * _HOUR_S,
        seen_before=now - settings.idle_min * _MINUTE_S,
    )
    failed_log_ins.forget_old_attempts(c, now - settings.lock_min * _MINUTE_S)
    cookie = secrets.token_hex(_COOKIE_BYTES)
    page_sessions.begin_session(
        c,
        PageSession(
            digest=digest_of(cookie),
            name=person.name,
            way=person.way,
            role=str(person.role),
            began_at=now,
            seen_at=now,
        ),
    )
    deed = deed_of(person.actor, at=now, action="log_in", subject=person.name, detail=person.way)
    record_deed(c, deed)
    return cookie


def log_out(c: Connection, cookie: str, person: Person, now: float) -> None:
    """End a session, and write down whose."""
    page_sessions.end_session(c, digest_of(cookie))
    record_deed(c, deed_of(person.actor, at=now, action="log_out", subject=person.name))


def _is_locked(c: Connection, bounds: Sequence[Bound], now: float) -> bool:
    return any(failed_log_ins.locked_until(c, bound, now) is not None for bound in bounds)

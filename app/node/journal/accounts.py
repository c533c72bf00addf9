"""Accounts of the page: people who log in by a password, and programs that send a token."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from app.node.journal.tables import ACCOUNT

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class AccountKind(StrEnum):
    """How an account shows who it is."""

    PERSON = "person"
    PROGRAM = "program"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account; times are epoch seconds.

    Attributes
    ----------
    name : str
        In the audit trail.
    kind : AccountKind
        Person or program.
    role : str
        Of `app.node.people.roles.Role`.
    secret : str
        Argon2id hash of the password, or SHA-256 of the token.
    is_disabled : bool
        It can neither log in nor be recognised.
    made_at : float
        Of its first row.
    seen_at : float or None
        Last log-in, or last day on which the program came.
    """

    name: str
    kind: AccountKind
    role: str
    secret: str = field(repr=False)
    is_disabled: bool = False
    made_at: float = 0.0
    seen_at: float | None = None


def add_account(c: Connection, account: Account, now: float) -> None:
    """Keep a new account; its name must be free."""
    c.execute(
        ACCOUNT.insert().values(
            name=account.name,
            kind=str(account.kind),
            role=account.role,
            secret=account.secret,
            is_disabled=int(account.is_disabled),
            made_at=now,
            changed_at=now,
        )
    )


def change_account(c: Connection, name: str, now: float, **values: str | int) -> None:
    """Change `role`, `secret` or `is_disabled`."""
    c.execute(ACCOUNT.update().where(ACCOUNT.c.name == name).values(changed_at=now, **values))


def note_seen(c: Connection, name: str, now: float) -> None:
    """Note that the account was used."""
    c.execute(ACCOUNT.update().where(ACCOUNT.c.name == name).values(seen_at=now))


def find_account(c: Connection, name: str) -> Account | None:
    """Account of that name, disabled or not."""
    return _account_of(c.execute(sa.select(ACCOUNT).where(ACCOUNT.c.name == name)).first())


def find_program(c: Connection, secret: str) -> Account | None:
    """Program whose token has this SHA-256, disabled or not."""
    is_it = (ACCOUNT.c.secret == secret) & (ACCOUNT.c.kind == str(AccountKind.PROGRAM))
    return _account_of(c.execute(sa.select(ACCOUNT).where(is_it)).first())


def list_accounts(c: Connection) -> list[Account]:
    """Every account, by name."""
    rows = c.execute(sa.select(ACCOUNT).order_by(ACCOUNT.c.name))
    return [account for row in rows if (account := _account_of(row)) is not None]


def has_accounts(c: Connection) -> bool:
    """Whether there ever was one; disabled ones count: the page must not open when they are."""
    return c.execute(sa.select(ACCOUNT.c.name).limit(1)).first() is not None


def _account_of(row: sa.Row[Any] | None) -> Account | None:
    if row is None:
        return None
    return Account(
        name=row.name,
        kind=AccountKind(row.kind),
        role=row.role,
        secret=row.secret,
        is_disabled=bool(row.is_disabled),
        made_at=row.made_at,
        seen_at=row.seen_at,
    )

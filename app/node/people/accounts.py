"""Making and changing accounts: checked, audited, and felt at once by whoever is logged in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.errors import AccountError
from app.node.journal import accounts, page_sessions
from app.node.journal.accounts import Account, AccountKind
from app.node.journal.audit import Actor, deed_of, record_deed
from app.node.people.credentials import checked_password, digest_of, hash_password, new_token

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from app.node.people.roles import Role

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
RESERVED: Final = frozenset({"local", "settings", "node"})
"""Names by which the audit trail means something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Who changes an account, and when.

    Attributes
    ----------
    actor : Actor
        For the audit trail.
    now : float
        Epoch seconds.
    """

    actor: Actor
    now: float


def new_person(name: str, role: Role, password: str) -> Account:
    """Account that logs in by a password; slow, so not within a transaction.

    Parameters
    ----------
    name : str
        Letters, digits and ``._@-``.
    role : Role
        What it may do.
    password : str
        As typed; its hash is kept.

    Returns
    -------
    Account
        Not kept yet.

    Raises
    ------
    AccountError
        ``name_unusable``, or as `checked_password` says.
    """
    _check_name(name)
    secret = password_hash(name, password)
    return Account(name=name, kind=AccountKind.PERSON, role=str(role), secret=secret)


def new_program(name: str, role: Role) -> tuple[Account, str]:
    """Account that shows a token.

    Returns
    -------
    Account
        Not kept yet.
    str
        The token; it cannot be shown again.

    Raises
    ------
    AccountError
        ``name_unusable``.
    """
    _check_name(name)
    token = new_token()
    kind = AccountKind.PROGRAM
    return Account(name=name, kind=kind, role=str(role), secret=digest_of(token)), token


def add(c: Connection, account: Account, hand: Hand) -> None:
    """Keep a new account.

    Raises
    ------
    AccountError
        ``account_exists``.
    """
    if accounts.find_account(c, account.name) is not None:
        raise AccountError("there is such an account", reasons=("account_exists",))
    accounts.add_account(c, account, hand.now)
    _note(c, hand, ("account.add", account.name), f"{account.kind}, {account.role}")


def password_hash(name: str, password: str) -> str:
    """Hash of a password that may be used; slow, so not within a transaction.

    Raises
    ------
    AccountError
        As `checked_password` says.
    """
    return hash_password(checked_password(password, name))


def set_password(c: Connection, name: str, secret: str, hand: Hand) -> None:
    """Give a person another password; every log-in by the old one ends.

    Parameters
    ----------
    c : Connection
        A transaction that writes.
    name : str
        Of the account.
    secret : str
        As `password_hash` makes it.
    hand : Hand
        Who does it.

    Raises
    ------
    AccountError
        ``account_unknown``, ``account_is_program``.
    """
    if account_named(c, name).kind != AccountKind.PERSON:
        message = "a program has a token, no password"
        raise AccountError(message, reasons=("account_is_program",))
    accounts.change_account(c, name, hand.now, secret=secret)
    page_sessions.end_sessions_of(c, name)
    _note(c, hand, ("account.password", name))


def renew_token(c: Connection, name: str, hand: Hand) -> str:
    """Give a program another token; the old one ends.

    Returns
    -------
    str
        The token; it cannot be shown again.

    Raises
    ------
    AccountError
        ``account_unknown``, ``account_is_person``.
    """
    if account_named(c, name).kind != AccountKind.PROGRAM:
        message = "a person has a password, no token"
        raise AccountError(message, reasons=("account_is_person",))
    token = new_token()
    accounts.change_account(c, name, hand.now, secret=digest_of(token))
    _note(c, hand, ("account.token", name))
    return token


def set_role(c: Connection, name: str, role: Role, hand: Hand) -> None:
    """Give an account another role, which counts from the next request on.

    Raises
    ------
    AccountError
        ``account_unknown``.
    """
    account_named(c, name)
    accounts.change_account(c, name, hand.now, role=str(role))
    _note(c, hand, ("account.role", name), str(role))


def set_disabled(c: Connection, name: str, hand: Hand, *, is_disabled: bool) -> None:
    """Shut an account out, at once, or let it in again.

    Raises
    ------
    AccountError
        ``account_unknown``.
    """
    account_named(c, name)
    accounts.change_account(c, name, hand.now, is_disabled=int(is_disabled))
    page_sessions.end_sessions_of(c, name)
    action = "account.disable" if is_disabled else "account.enable"
    _note(c, hand, (action, name))


def account_named(c: Connection, name: str) -> Account:
    """Account of that name.

    Raises
    ------
    AccountError
        ``account_unknown``.
    """
    account = accounts.find_account(c, name)
    if account is None:
        raise AccountError("there is no such account", reasons=("account_unknown",))
    return account


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None or name.lower() in RESERVED:
        message = "a name has up to 64 letters, digits and ._@-, and is not one of ours"
        raise AccountError(message, reasons=("name_unusable",))


def _note(c: Connection, hand: Hand, deed: tuple[str, str], detail: str = "") -> None:
    action, name = deed
    record_deed(c, deed_of(hand.actor, at=hand.now, action=action, subject=name, detail=detail))

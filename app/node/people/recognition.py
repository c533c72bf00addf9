"""Who asks: by session cookie, by token, by what the proxy says, or by being on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from app.errors import PageUnguardedError
from app.node.journal import accounts, page_sessions
from app.node.journal.engine import reading, transaction
from app.node.people.credentials import digest_of
from app.node.people.roles import Person, Role, highest_role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection, Engine

    from app.settings import NodeSettings

_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0
_LONGEST_NAME: Final = 64
_BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What a request says of whoever sends it.

    Attributes
    ----------
    headers : mapping
        Of the request; names are looked up as HTTP does, without regard to case.
    cookie : str
        Of the session; empty: none.
    address : str
        Where it came from.
    is_repeated : bool
        The page asks again by itself: that keeps nobody logged in.
    """

    headers: Mapping[str, str]
    cookie: str = ""
    address: str = ""
    is_repeated: bool = False


def is_loopback(host: str) -> bool:
    """Whether an address to bind is reached from this machine alone.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_guarded(node: NodeSettings, engine: Engine) -> None:
    """Pass where nobody from elsewhere can use the page without showing who it is.

    Parameters
    ----------
    node : NodeSettings
        Address and log-in.
    engine : Engine
        Journal.

    Raises
    ------
    PageUnguardedError
        Beyond loopback without accounts, identity provider and authenticating proxy.
    """
    has_others_word = node.web.actor_header is not None or node.people.openid is not None
    if is_loopback(node.web.host) or has_others_word:
        return
    with reading(engine) as c:
        if accounts.has_accounts(c):
            return
    message = (
        "the page would be open to everybody who reaches it: make an account "
        "('spine-node users add NAME --role administrator'), or set node.people.openid, or set "
        "node.web.actor_header to the header of an authenticating proxy, or bind node.web.host to "
        "127.0.0.1"
    )
    raise PageUnguardedError(message, reasons=("page_unguarded",))


def recognise(node: NodeSettings, engine: Engine, signs: Signs, now: float) -> Person | None:
    """Find out who asks.

    Parameters
    ----------
    node : NodeSettings
        Of the site.
    engine : Engine
        Journal.
    signs : Signs
        Of the request.
    now : float
        Epoch seconds.

    Returns
    -------
    Person or None
        None: nobody who may use the page; it is time to log in.
    """
    if node.web.actor_header is not None:
        return _by_proxy(node, signs)
    authorization = signs.headers.get("authorization", "")
    if authorization.lower().startswith(_BEARER):
        return _by_token(engine, authorization[len(_BEARER) :].strip(), signs.address, now)
    with reading(engine) as c:
        person, is_due = _by_cookie(c, node, signs, now)
        is_open = person is None and _is_open(c, node)
    if is_due:
        with transaction(engine) as c:
            page_sessions.note_activity(c, digest_of(signs.cookie), now)
    if is_open:
        return Person(name="local", role=Role.ADMINISTRATOR, way="local", address=signs.address)
    return person


def _is_open(c: Connection, node: NodeSettings) -> bool:
    """Whether everybody on this machine may do everything: nobody can log in."""
    has_log_in = node.people.openid is not None or accounts.has_accounts(c)
    return is_loopback(node.web.host) and not has_log_in


def _by_proxy(node: NodeSettings, signs: Signs) -> Person | None:
    said = signs.headers.get(node.web.actor_header or "", "").strip()
    name = "".join(letter for letter in said if letter.isprintable())[:_LONGEST_NAME]
    people, role = node.people, Role.ADMINISTRATOR
    if people.groups_header is not None:
        groups = signs.headers.get(people.groups_header, "").split(",")
        found = highest_role((group.strip() for group in groups), people.groups)
        if found is None:
            return None
        role = found
    return Person(name=name, role=role, way="proxy", address=signs.address) if name else None


def _by_token(engine: Engine, token: str, address: str, now: float) -> Person | None:
    with reading(engine) as c:
        account = accounts.find_program(c, digest_of(token))
    if account is None or account.is_disabled:
        return None
    if account.seen_at is None or now - account.seen_at > _DAY_S:
        with transaction(engine) as c:
            accounts.note_seen(c, account.name, now)
    return Person(name=account.name, role=Role(account.role), way="token", address=address)


def _by_cookie(
    c: Connection, node: NodeSettings, signs: Signs, now: float
) -> tuple[Person | None, bool]:
    """Person of a session that is not over, and whether its activity is to be noted."""
    session = page_sessions.find_session(c, digest_of(signs.cookie)) if signs.cookie else None
    if session is None:
        return None, False
    idle_s = now - session.seen_at
    if idle_s > node.people.idle_min * _MINUTE_S:
        return None, False
    if now - session.began_at > node.people.longest_h * _HOUR_S:
        return None, False
    role = Role(session.role)
    if session.way == "password":
        account = accounts.find_account(c, session.name)
        if account is None or account.is_disabled:
            return None, False
        role = Role(account.role)
    person = Person(name=session.name, role=role, way=session.way, address=signs.address)
    return person, idle_s > _MINUTE_S and not signs.is_repeated

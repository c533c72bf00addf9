"""Accounts, and browsers that are logged in by them."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from argon2 import PasswordHasher

from app.node.journal import accounts
from app.node.journal.accounts import Account, AccountKind
from app.node.journal.engine import transaction
from app.node.people.credentials import digest_of
from tests.builders.web_site import client_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from starlette.testclient import TestClient

    from app.node.web.site import Site

PASSWORD = "correct horse battery"  # noqa: S105 - of accounts of tests
TOKEN = "spn_a-token-of-a-test"  # noqa: S105 - as above


@cache
def password_hash() -> str:
    """Hash of `PASSWORD` by parameters that cost nothing (so a log-in makes it anew)."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


def keep_person(engine: Engine, name: str, role: str = "operator", *, now: float = 0.0) -> None:
    """Account that logs in by `PASSWORD`."""
    made = Account(name=name, kind=AccountKind.PERSON, role=role, secret=password_hash())
    with transaction(engine) as connection:
        accounts.add_account(connection, made, now)


def keep_program(engine: Engine, name: str, role: str = "viewer", *, token: str = TOKEN) -> None:
    """Account that shows a token."""
    made = Account(name=name, kind=AccountKind.PROGRAM, role=role, secret=digest_of(token))
    with transaction(engine) as connection:
        accounts.add_account(connection, made, 0.0)


def token_in(text: str) -> str:
    """Token of the forms of a page."""
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', text)
    assert found is not None
    return found[1]


def log_in(client: TestClient, name: str, password: str = PASSWORD, back: str = "/"):
    """Send the form of the log-in; the answer to it."""
    fields = {"name": name, "password": password, "back": back}
    fields["csrf_token"] = token_in(client.get("/log-in").text)
    return client.post("/log-in", data=fields)


def browser_of(site: Site, name: str) -> TestClient:
    """Browser in which somebody is logged in."""
    client = client_of(site)
    assert log_in(client, name).status_code == 303
    return client

"""Making and changing accounts."""

from pathlib import Path

import pytest

from app.errors import AccountError
from app.node.journal.audit import Actor, list_deeds
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.people import accounts
from app.node.people.accounts import Hand
from app.node.people.credentials import SHORTEST, TOKEN_PREFIX, digest_of
from app.node.people.roles import Role
from tests.builders.people import PASSWORD, keep_person, keep_program

HAND = Hand(actor=Actor(name="root", role="administrator", address="10.0.0.1"), now=5.0)


@pytest.fixture
def c(tmp_path: Path):
    engine = open_journal(journal_url(tmp_path, None))
    keep_person(engine, "anna")
    keep_program(engine, "robot")
    with transaction(engine) as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "password", "reason"),
    [
        ("ben", "x" * (SHORTEST - 1), "password_too_short"),
        ("ben", "x" * 1025, "password_too_long"),
        ("ben.ben.ben.ben", "Ben.Ben.Ben.Ben", "password_is_name"),
        ("benben", "benbenbenbenbenben", "password_is_name"),
        ("ben ben", PASSWORD, "name_unusable"),
        ("-ben", PASSWORD, "name_unusable"),
        ("b" * 65, PASSWORD, "name_unusable"),
        ("Local", PASSWORD, "name_unusable"),
        ("<b>", PASSWORD, "name_unusable"),
    ],
)
def test_unusable_names_and_passwords_are_refused_and_not_quoted(
    name: str, password: str, reason: str
):
    with pytest.raises(AccountError) as caught:
        accounts.new_person(name, Role.VIEWER, password)
    assert caught.value.reasons == (reason,)
    assert password not in str(caught.value)


def test_what_is_changed_is_written_down_with_who_did_it(c):
    made, token = accounts.new_program("loader", Role.OPERATOR)
    accounts.add(c, made, HAND)
    accounts.set_role(c, "loader", Role.VIEWER, HAND)
    accounts.set_disabled(c, "loader", HAND, is_disabled=True)
    renewed = accounts.renew_token(c, "loader", HAND)
    accounts.set_password(c, "anna", "hash", HAND)
    deeds = [(deed.action, deed.subject, deed.detail) for deed in reversed(list_deeds(c))]
    assert deeds == [
        ("account.add", "loader", "program, operator"),
        ("account.role", "loader", "viewer"),
        ("account.disable", "loader", ""),
        ("account.token", "loader", ""),
        ("account.password", "anna", ""),
    ]
    assert {(d.actor, d.role, d.address, d.at) for d in list_deeds(c)} == {
        ("root", "administrator", "10.0.0.1", 5.0)
    }
    kept = accounts.account_named(c, "loader")
    assert kept.secret == digest_of(renewed)
    assert renewed != token
    assert token.startswith(TOKEN_PREFIX)
    assert len(token) == len(TOKEN_PREFIX) + 43
    assert kept.secret not in repr(kept)


def test_what_does_not_fit_is_refused_by_name(c):
    tries = {
        "account_exists": lambda: accounts.add(c, accounts.account_named(c, "anna"), HAND),
        "account_unknown": lambda: accounts.set_role(c, "ben", Role.VIEWER, HAND),
        "account_is_program": lambda: accounts.set_password(c, "robot", "hash", HAND),
        "account_is_person": lambda: accounts.renew_token(c, "anna", HAND),
    }
    for reason, attempt in tries.items():
        with pytest.raises(AccountError) as caught:
            attempt()
        assert caught.value.reasons == (reason,)
    assert list_deeds(c) == []

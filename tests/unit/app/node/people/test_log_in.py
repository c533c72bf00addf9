"""Who types what, and what becomes of it: bounded guesses, and nothing typed is kept."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.journal import accounts
from app.node.journal.audit import list_deeds
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.tables import ACCOUNT, FAILED_LOG_IN, METADATA, PAGE_SESSION
from app.node.people import credentials
from app.node.people.log_in import Attempt, Door, Refused
from app.settings.people import PeopleSettings
from tests.builders.people import PASSWORD, keep_person, keep_program, password_hash

SETTINGS = PeopleSettings(failures=3, address_failures=5, lock_min=10)
LOCK_S = 600.0
Judge = Callable[..., str | Refused]


@pytest.fixture
def engine(tmp_path: Path):
    engine = open_journal(journal_url(tmp_path, None))
    keep_person(engine, "anna")
    yield engine
    engine.dispose()


@pytest.fixture
def judge(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Log-in at a moment; a wrong password costs no hash here."""

    def quick(password: str, kept: str | None) -> bool:
        return password == PASSWORD and kept == password_hash()

    monkeypatch.setattr("app.node.people.log_in.is_password", quick)
    monkeypatch.setattr("app.node.people.log_in.needs_new_hash", lambda _: False)
    door = Door(engine, SETTINGS, b"s" * 32)

    def log_in(name: str, password: str, *, now: float = 0.0, address: str = "10.0.0.7"):
        return door.log_in(Attempt(name=name, password=password, address=address, now=now))

    return log_in


def test_the_password_is_verified_by_its_hash():
    kept = credentials.hash_password(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert credentials.is_password(PASSWORD, kept)
    assert not credentials.is_password(f"{PASSWORD} ", kept)
    assert not credentials.is_password(PASSWORD, None)
    assert not credentials.is_password("x" * 2000, kept)
    assert not credentials.needs_new_hash(kept)
    assert credentials.needs_new_hash(password_hash())


def test_one_letter_typed_in_two_ways_is_one_password():
    kept = credentials.hash_password("Stra\u00dfe am Caf\u00e9 7")
    assert credentials.is_password("Stra\u00dfe am Cafe\u0301 7", kept)


def test_the_right_password_begins_a_session_of_which_the_journal_keeps_no_cookie(
    engine: Engine, judge: Judge
):
    cookie = judge("anna", PASSWORD, now=50.0)
    assert not isinstance(cookie, Refused)
    assert len(cookie) == 64
    with reading(engine) as c:
        (row,) = c.execute(PAGE_SESSION.select())
        assert (row.name, row.way, row.began_at) == ("anna", "password", 50.0)
        everything = str([c.execute(table.select()).all() for table in METADATA.tables.values()])
        deed = list_deeds(c, limit=1)[0]
        assert accounts.list_accounts(c)[0].seen_at == 50.0
    assert (deed.action, deed.actor, deed.role, deed.address) == (
        "log_in", "anna", "operator", "10.0.0.7",
    )  # fmt: skip
    assert cookie not in everything
    assert PASSWORD not in everything


def test_an_account_is_locked_after_failures_in_a_row_even_for_the_right_password(judge: Judge):
    assert [judge("anna", "wrong", now=t) for t in (1.0, 2.0, 3.0)] == [Refused.WRONG] * 3
    assert judge("anna", PASSWORD, now=4.0) == Refused.LOCKED
    assert judge("anna", PASSWORD, now=3.0 + LOCK_S - 1) == Refused.LOCKED
    assert not isinstance(judge("anna", PASSWORD, now=3.0 + LOCK_S + 1), Refused)


def test_a_success_and_a_long_pause_begin_the_row_anew(judge: Judge):
    judge("anna", "wrong", now=1.0)
    judge("anna", "wrong", now=2.0)
    assert not isinstance(judge("anna", PASSWORD, now=3.0), Refused)
    assert [judge("anna", "wrong", now=t) for t in (4.0, 5.0, 900.0, 901.0)] == [Refused.WRONG] * 4
    assert not isinstance(judge("anna", PASSWORD, now=902.0), Refused)


def test_the_failures_of_a_locked_account_do_not_prolong_the_lock(judge: Judge):
    for t in (1.0, 2.0, 3.0):
        judge("anna", "wrong", now=t)
    assert judge("anna", "wrong", now=500.0) == Refused.LOCKED
    assert judge("anna", "wrong", now=700.0) == Refused.WRONG
    assert judge("anna", "wrong", now=701.0) == Refused.WRONG


def test_an_address_is_locked_whatever_names_it_tries(engine: Engine, judge: Judge):
    for number in range(5):
        assert judge(f"name{number}", "wrong", now=number) == Refused.WRONG
    assert judge("anna", PASSWORD, now=6.0) == Refused.LOCKED
    assert not isinstance(judge("anna", PASSWORD, now=6.0, address="10.0.0.8"), Refused)


def test_an_unknown_name_is_answered_like_a_wrong_password_and_kept_nowhere(
    engine: Engine, judge: Judge
):
    typed = "my-secret-typed-in-the-wrong-field"
    assert judge(typed, "anna") == Refused.WRONG
    assert [judge(typed, "anna", now=t) for t in (1.0, 2.0, 3.0)][-1] == Refused.LOCKED
    with reading(engine) as c:
        kept = str([c.execute(table.select()).all() for table in METADATA.tables.values()])
        assert typed not in kept
        assert [deed.subject for deed in list_deeds(c)] == ["unknown"] * 3
        assert list_deeds(c)[0].detail == "locked from now on"


@pytest.mark.parametrize("state", ["disabled", "program"])
def test_a_disabled_account_and_a_program_do_not_log_in(engine: Engine, judge: Judge, state: str):
    if state == "disabled":
        with transaction(engine) as c:
            accounts.change_account(c, "anna", 1.0, is_disabled=1)
    else:
        keep_program(engine, "robot")
    assert judge("anna" if state == "disabled" else "robot", PASSWORD) == Refused.WRONG


def test_a_hash_by_weaker_parameters_is_made_anew_at_the_next_log_in(
    engine: Engine, judge: Judge, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.node.people.log_in.needs_new_hash", lambda _: True)
    monkeypatch.setattr("app.node.people.log_in.hash_password", lambda password: f"new {password}")
    judge("anna", PASSWORD)
    with reading(engine) as c:
        assert c.execute(ACCOUNT.select()).one().secret == f"new {PASSWORD}"


def test_old_rows_go_when_somebody_logs_in(engine: Engine, judge: Judge):
    judge("anna", PASSWORD, now=0.0)
    judge("nobody", "wrong", now=0.0, address="10.0.0.9")
    judge("anna", PASSWORD, now=13 * 3600.0)
    with reading(engine) as c:
        assert [row.began_at for row in c.execute(PAGE_SESSION.select())] == [13 * 3600.0]
        assert c.execute(FAILED_LOG_IN.select()).all() == []


def test_too_many_hashes_at_once_are_refused_and_not_queued_for_ever(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(credentials, "_PATIENCE_S", 0.01)
    with credentials._SLOTS, credentials._SLOTS, pytest.raises(credentials.BusyError):
        credentials.is_password(PASSWORD, password_hash())

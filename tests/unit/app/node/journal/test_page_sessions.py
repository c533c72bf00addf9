"""Log-ins on the page: kept, ended one by one or all of an account, swept when they are over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from app.node.journal.engine import transaction
from app.node.journal.page_sessions import (
    PageSession,
    begin_session,
    end_session,
    end_sessions_of,
    find_session,
    note_activity,
    sweep_sessions,
)
from tests.builders.journals import empty_journal


def session(digest: str, name: str = "anna", way: str = "password", at: float = 0.0) -> PageSession:
    return PageSession(digest=digest, name=name, way=way, role="viewer", began_at=at, seen_at=at)


@pytest.fixture
def c(tmp_path: Path) -> Iterator[Connection]:
    engine = empty_journal(tmp_path)
    with transaction(engine) as connection:
        for one in (
            session("a"),
            session("b", at=5.0),
            session("c", way="openid", at=10.0),
            session("d", name="bert", at=10.0),
        ):
            begin_session(connection, one)
        yield connection
    engine.dispose()


def known(c: Connection) -> str:
    return "".join(digest for digest in "abcd" if find_session(c, digest) is not None)


def test_it_is_found_as_it_was_kept_and_activity_is_noted(c: Connection):
    assert find_session(c, "c") == session("c", way="openid", at=10.0)
    assert find_session(c, "x") is None
    note_activity(c, "b", 7.0)
    found = find_session(c, "b")
    assert found is not None
    assert (found.began_at, found.seen_at) == (5.0, 7.0)


def test_one_ends_alone(c: Connection):
    end_session(c, "a")
    assert known(c) == "bcd"


def test_a_changed_password_ends_the_log_ins_by_password_of_its_account(c: Connection):
    end_sessions_of(c, "anna")
    assert known(c) == "cd"


def test_what_began_or_was_seen_too_long_ago_goes(c: Connection):
    note_activity(c, "a", 99.0)
    sweep_sessions(c, began_before=1.0, seen_before=0.0)
    assert known(c) == "bcd"
    sweep_sessions(c, began_before=0.0, seen_before=10.0)
    assert known(c) == "cd"

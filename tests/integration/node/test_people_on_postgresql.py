"""Accounts, log-ins and the chain of the audit trail on the other database, several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.journal import audit_chain
from app.node.journal.audit import Deed, list_deeds, record_deed
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.failed_log_ins import Bound, count_attempt, locked_until
from app.node.people.log_in import Attempt, Door, Refused
from app.node.people.recognition import Signs, recognise
from app.settings import NodeSettings
from app.settings.people import PeopleSettings
from tests.builders import postgres
from tests.builders.people import PASSWORD, keep_person


def at_once(url: str, work: Callable[[Engine, int], None], count: int = 4) -> None:
    """Have several processes, as far as the database can tell, do something at the same moment."""
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        engine = open_journal(url)
        barrier.wait(20)
        work(engine, number)
        engine.dispose()

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run, range(count)))


def act(engine: Engine, number: int) -> None:
    for step in range(20):
        with transaction(engine) as c:
            deed = Deed(at=step + 0.1, actor=f"p{number}", action="job.view", subject="j")
            record_deed(c, deed)


def fail(engine: Engine, _number: int) -> None:
    bound = Bound(kind="address", subject="10.0.0.7", most=8, lock_s=60.0)
    for _ in range(2):
        with transaction(engine) as c:
            count_attempt(c, bound, 1.0)


@pytest.mark.skipif(not postgres.can_run(), reason="PostgreSQL is not installed (make peers)")
def test_people_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.node.people.log_in.needs_new_hash", lambda _: False)
    with postgres.postgres_server() as server:
        url = journal_url(tmp_path, server.new_database())
        engine = open_journal(url)

        # Four processes append to one chain from its first row on: no gap, no fork.
        at_once(url, act)
        with reading(engine) as c:
            verdict = audit_chain.verify(c)
            assert (verdict.broken_at, verdict.end.number) == (None, 80)
            assert len(list_deeds(c, limit=500, has_views=True)) == 80

        # Eight failures are eight, however they come.
        at_once(url, fail)
        with reading(engine) as c:
            bound = Bound(kind="address", subject="10.0.0.7", most=8, lock_s=60.0)
            assert locked_until(c, bound, 2.0) == 61.0

        keep_person(engine, "anna")
        door = Door(engine, PeopleSettings(failures=2), b"s" * 32)
        attempt = Attempt(name="anna", password=PASSWORD, address="10.0.0.8", now=5.0)
        cookie = door.log_in(attempt)
        assert not isinstance(cookie, Refused)
        person = recognise(NodeSettings(data=tmp_path), engine, Signs(headers={}, cookie=cookie), 6)
        assert person is not None
        assert (person.name, person.role) == ("anna", "operator")
        with transaction(engine) as c:
            (row,) = audit_chain.rows_after(c, 80, 10)
            audit_chain.note_sent(c, row.link)
            assert (row.action, audit_chain.sent_until(c)) == ("log_in", 81)
        engine.dispose()

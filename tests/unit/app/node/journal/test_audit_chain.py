"""The chain of the audit trail: whatever is done to a row shows, and where."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.node.journal.audit import Deed, record_deed
from app.node.journal.audit_chain import verify
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.tables import AUDIT, AUDIT_PLACE

OLD = {"at": 0.5, "actor": "local", "action": "job.replay", "subject": "j0", "detail": "done"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_journal(journal_url(tmp_path, None))
    with transaction(engine) as c:
        c.execute(AUDIT.insert().values(audit_id="a" * 32, **OLD))
    yield engine
    engine.dispose()


def act(engine: Engine, count: int) -> None:
    for number in range(count):
        with transaction(engine) as c:
            deed = Deed(at=1.1 + number, actor="anna", action="job.cancel", subject=f"j{number}")
            record_deed(c, deed)


def done(c: Connection, text: str) -> None:
    assert c.execute(sa.text(text)).rowcount == 1


def test_a_chain_that_nobody_touched_holds_also_over_a_restart(engine: Engine, tmp_path: Path):
    act(engine, 3)
    again = open_journal(journal_url(tmp_path, None))
    act(again, 2)
    again.dispose()
    with transaction(engine) as c:
        verdict = verify(c)
        digests = c.execute(sa.select(AUDIT.c.digest).where(AUDIT.c.number == 5)).scalar_one()
    assert (verdict.broken_at, verdict.end.number, verdict.end.digest) == (None, 5, digests)


def test_an_empty_trail_holds(tmp_path: Path):
    engine = open_journal(journal_url(tmp_path, None))
    with transaction(engine) as c:
        assert verify(c).broken_at is None
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit SET actor = 'ben' WHERE number = 3", 3),
        ("UPDATE audit SET at = 9.0 WHERE number = 2", 2),
        ("UPDATE audit SET role = 'viewer' WHERE number = 4", 4),
        ("UPDATE audit SET detail = 'x' WHERE number = 5", 5),
        ("UPDATE audit SET digest = '0' WHERE number = 4", 4),
        ("DELETE FROM audit WHERE number = 2", 2),
        ("DELETE FROM audit WHERE number = 5", 5),
        ("UPDATE audit SET number = 6 WHERE number = 3", 3),
        ("UPDATE audit SET detail = 'x' WHERE number IS NULL", 1),
        ("DELETE FROM audit WHERE number IS NULL", 1),
    ],
)
def test_the_first_row_that_does_not_hold_is_named(engine: Engine, statement: str, broken_at: int):
    act(engine, 5)
    with transaction(engine) as c:
        done(c, statement)
        assert verify(c).broken_at == broken_at


def test_a_row_that_is_put_in_at_the_end_without_its_digest_shows(engine: Engine):
    act(engine, 2)
    with transaction(engine) as c:
        row = OLD | {"audit_id": "b" * 32, "number": 3, "digest": "0" * 64}
        c.execute(AUDIT.insert().values(role="", address="", **row))
        assert verify(c).broken_at == 3


def test_a_failed_transaction_leaves_no_gap(engine: Engine):
    act(engine, 1)

    def fail() -> None:
        with transaction(engine) as c:
            record_deed(c, Deed(at=2.0, actor="anna", action="job.cancel", subject="j"))
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - ours
        fail()
    act(engine, 1)
    with transaction(engine) as c:
        assert (verify(c).broken_at, verify(c).end.number) == (None, 2)


def test_a_rebuilt_journal_goes_on_where_its_rows_end(engine: Engine):
    act(engine, 3)
    with transaction(engine) as c:
        c.execute(AUDIT_PLACE.delete())
    act(engine, 1)
    with transaction(engine) as c:
        assert (verify(c).broken_at, verify(c).end.number) == (None, 4)

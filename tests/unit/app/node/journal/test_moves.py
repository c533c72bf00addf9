"""Every event in every state, on a real journal: the table's move, or nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.node.journal.arrival_statements import REOPEN
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.moves import move, origins_of
from app.node.journal.states import (
    DELIVERY_MOVES,
    JOB_MOVES,
    SERIES_MOVES,
    DeliveryState,
    JobState,
    SeriesEvent,
    SeriesState,
)
from app.node.journal.tables import DELIVERY, JOB, SERIES
from tests.builders.journal_rows import insert

KINDS = [
    (SERIES, SERIES_MOVES, SeriesState),
    (JOB, JOB_MOVES, JobState),
    (DELIVERY, DELIVERY_MOVES, DeliveryState),
]
ARRIVAL = {"a_series_uid": "1.2.3.1", "a_received_at": 9.0, "a_opened": 0}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_journal(journal_url(tmp_path, None))
    with transaction(engine) as c:
        for kind in ("series", "job", "delivery"):
            insert(c, kind)
        yield c
    engine.dispose()


def put(c: Connection, table: sa.Table, state: str) -> None:
    c.execute(sa.update(table).values(state=state))


def state_in(c: Connection, table: sa.Table) -> str:
    return c.execute(sa.select(table.c.state)).scalar_one()


@pytest.mark.parametrize(("table", "moves", "states"), KINDS)
def test_an_event_does_what_the_table_says_and_elsewhere_nothing(connection, table, moves, states):
    for event, what in moves.items():
        for state in states:
            put(connection, table, state)
            moved = move(connection, event)
            assert moved == (state in what.origins), (event, state)
            expected = what.target if moved else state
            assert state_in(connection, table) == expected, (event, state)


@pytest.mark.parametrize(("table", "moves", "states"), KINDS)
def test_outside_its_fence_an_event_changes_nothing(connection, table, moves, states):
    for event in moves:
        put(connection, table, origins_of(event)[0])
        before = connection.execute(sa.select(table)).one()
        assert move(connection, event, sa.false()) == 0
        assert connection.execute(sa.select(table)).one() == before


def test_an_arriving_object_is_an_event_of_the_table_too(connection: Connection):
    for state in SeriesState:
        put(connection, SERIES, state)
        REOPEN.run(connection, ARRIVAL)
        what = SERIES_MOVES[SeriesEvent.ARRIVE]
        assert state_in(connection, SERIES) == (what.target if state in what.origins else state)


def test_no_caller_can_name_another_state_beside_the_event(connection: Connection):
    with pytest.raises(TypeError, match="state"):
        move(connection, SeriesEvent.HOLD, state="accepted")

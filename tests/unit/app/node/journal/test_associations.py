"""The record of associations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from app.node.journal.associations import (
    AssociationRecord,
    Chosen,
    RejectedContext,
    count_outcomes,
    forget_associations_before,
    list_associations,
    write_associations,
)
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.tallies import read_tallies

NOT_TAKEN = "abstract_syntax_not_supported"
CT = RejectedContext("1.2.840.10008.5.1.4.1.1.2", "CT Image Storage", NOT_TAKEN)


def record(name: str, at: float = 0.0, **values: object) -> AssociationRecord:
    told: dict[str, object] = {
        "association_id": name,
        "began_at": at,
        "ended_at": at + 1,
        "calling_ae_title": "SCANNER",
        "called_ae_title": "NODE",
        "peer_address": "10.0.0.1",
        "outcome": "released",
        **values,
    }
    return AssociationRecord(**told)  # type: ignore[arg-type]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_journal(journal_url(tmp_path, None))
    with transaction(engine) as opened:
        yield opened
    engine.dispose()


def names(connection: Connection, **chosen: object) -> list[str]:
    rows = list_associations(connection, Chosen(**chosen), limit=50)  # type: ignore[arg-type]
    return [row.association_id for row in rows]


def test_what_is_written_is_read_back_the_newest_first(connection: Connection):
    whole = record(
        "a",
        accepted_contexts=3,
        rejected_contexts=(CT,),
        objects=16,
        statuses={"0000": 15, "A700": 1},
    )
    later = record("b", at=5.0)
    write_associations(connection, [whole, later])
    assert list_associations(connection, Chosen(), limit=50) == [later, whole]


def test_like_ones_of_a_minute_add_up_over_several_writes(connection: Connection):
    one = record("m", repeats=3, outcome="called_ae_title_unknown")
    write_associations(connection, [one])
    write_associations(connection, [record("m", at=40.0, outcome="called_ae_title_unknown")])
    (row,) = list_associations(connection, Chosen(), limit=50)
    assert (row.repeats, row.began_at, row.ended_at) == (4, 0.0, 41.0)


def test_filters_choose_by_outcome_title_address_and_time(connection: Connection):
    write_associations(
        connection,
        [
            record("a"),
            record("b", at=1.0, outcome="called_ae_title_unknown", calling_ae_title="LOST"),
            record("c", at=2.0, outcome="network_not_allowed", peer_address="192.168.7.9"),
            record("d", at=3.0, outcome="broken_off", calling_ae_title="100%_CT"),
        ],
    )
    assert names(connection, outcome="refused") == ["c", "b"]
    assert names(connection, outcome="broken_off") == ["d"]
    assert names(connection, text="lost") == ["b"]
    assert names(connection, text="168.7") == ["c"]
    assert names(connection, text="0%_") == ["d"]
    assert names(connection, text="%") == ["d"]
    assert names(connection, since=2.0) == ["d", "c"]
    counted = count_outcomes(connection, Chosen(outcome="released", since=1.0))
    assert counted == {"called_ae_title_unknown": 1, "network_not_allowed": 1, "broken_off": 1}


def test_outcomes_and_reasons_are_counted_for_good(connection: Connection):
    write_associations(connection, [record("a", rejected_contexts=(CT,)), record("b", repeats=9)])
    assert forget_associations_before(connection, 100.0, limit=1) == 1
    assert forget_associations_before(connection, 100.0, limit=10) == 1
    counts = read_tallies(connection)
    assert counts.associations == {"released": 10}
    assert counts.rejected_contexts == {"abstract_syntax_not_supported": 1}
    assert counts.objects == {}

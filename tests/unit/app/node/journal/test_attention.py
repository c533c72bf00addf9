"""What needs a person, and what a person has seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.node.journal import attention
from app.node.journal.alert_channels import make_known, note_failure, note_sent
from app.node.journal.attention import Circumstances, alarms, list_found, read_attention
from app.node.journal.attention_kinds import KINDS, OBSERVED, Found, Severity
from app.node.journal.attention_subjects import SUBJECTS
from app.node.journal.destinations import note_failure as peer_failed
from app.node.journal.destinations import note_success, open_breaker
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.tables import DELIVERY, INSTANCE, JOB, SERIES
from tests.builders.filled_journal import NOW, PACS, RESEARCH, fill
from tests.builders.journal_rows import insert

HERE = Circumstances(destinations=frozenset({PACS, RESEARCH}), channels=frozenset({"mail"}))
IN_THE_FILLED_JOURNAL = {
    "job_failed": 1,
    "job_refused": 1,
    "series_held": 1,
    "object_quarantined": 1,
    "delivery_failed": 1,
    "delivery_parked": 1,
    "destination_paused": 1,
    "delivery_held": 1,
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_journal(journal_url(tmp_path, None))
    with transaction(engine) as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Connection]:
    engine = open_journal(journal_url(tmp_path, None))
    fill(engine)
    with transaction(engine) as opened:
        yield opened
    engine.dispose()


def counts(connection: Connection, around: Circumstances = HERE) -> dict[str, int]:
    return {row.kind: row.count for row in read_attention(connection, around) if row.count}


def quarantine(connection: Connection, number: int, at: float = 5.0) -> None:
    uid, path = f"9.{number}", f"series/q/{number}.dcm"
    insert(
        connection,
        "instance",
        sop_instance_uid=uid,
        series_uid="",
        state="quarantined",
        path=path,
        received_at=at,
    )


def refuse(connection: Connection, job_id: str, at: float = 7.0, revision: int = 1) -> None:
    values = {"job_id": job_id, "state": "refused", "finished_at": at, "revision": revision}
    insert(connection, "job", **values)


def test_every_kind_of_a_filled_journal_is_counted_and_only_alarms_are_the_number(
    filled: Connection,
):
    assert counts(filled) == IN_THE_FILLED_JOURNAL
    assert alarms(read_attention(filled, HERE)) == 7
    assert {kind for kind, about in KINDS.items() if about.severity == Severity.TASK} == {
        "delivery_held",
        "delivery_superseded",
    }


def test_what_the_gate_withholds_is_an_alarm_and_no_planned_release(filled: Connection):
    held = DELIVERY.c.state == "held"
    filled.execute(DELIVERY.update().where(held).values(last_error="withheld: vertebra_missing"))
    changed = {**IN_THE_FILLED_JOURNAL, "delivery_withheld": 1}
    del changed["delivery_held"]
    assert counts(filled) == changed
    assert alarms(read_attention(filled, HERE)) == 8


def test_every_kind_names_its_oldest(filled: Connection):
    oldest = {row.kind: row.oldest_at for row in read_attention(filled, HERE) if row.count}
    assert oldest["job_failed"] == NOW - 800
    assert oldest["object_quarantined"] == NOW - 7200
    assert oldest["destination_paused"] == NOW - 30


def test_an_empty_journal_names_every_kind_with_0(connection: Connection):
    rows = read_attention(connection, HERE)
    assert [row.kind for row in rows] == list(KINDS)
    assert {(row.count, row.oldest_at) for row in rows} == {(0, None)}


def test_721_quarantined_objects_count_721_until_they_were_seen_and_stay_where_they_are(
    connection: Connection,
):
    for number in range(721):
        quarantine(connection, number, at=float(number))
    assert counts(connection) == {"object_quarantined": 721}
    page = list_found(connection, "object_quarantined", limit=50, offset=700)
    assert [one.since for one in page] == [float(n) for n in range(20, -1, -1)]
    seen = attention.acknowledge(connection, "object_quarantined", 900.0, subject=None, until=720.0)
    assert seen == 721
    assert counts(connection) == {}
    assert connection.execute(sa.select(sa.func.count()).select_from(INSTANCE)).scalar() == 721


def test_what_came_after_the_page_was_loaded_is_not_dismissed_with_the_rest(
    connection: Connection,
):
    quarantine(connection, 1, at=10.0)
    quarantine(connection, 2, at=11.0)
    kind = "object_quarantined"
    assert attention.acknowledge(connection, kind, 12.0, subject=None, until=10.0) == 1
    assert [one.since for one in list_found(connection, kind, limit=5)] == [11.0]


def test_a_refused_job_that_was_seen_counts_again_when_it_is_refused_again(
    connection: Connection,
):
    refuse(connection, "j1")
    refuse(connection, "j2")
    seen = attention.acknowledge(connection, "job_refused", 8.0, subject="j1", until=None)
    assert (seen, counts(connection)) == (1, {"job_refused": 1})
    assert not attention.is_unseen(connection, "job_refused", "j1")
    connection.execute(JOB.update().where(JOB.c.job_id == "j1").values(finished_at=9.0))
    assert counts(connection) == {"job_refused": 2}
    assert attention.acknowledge(connection, "job_refused", 9.5, subject="j1", until=None) == 1
    assert counts(connection) == {"job_refused": 1}


def test_a_clock_that_was_set_back_hides_no_later_failure(connection: Connection):
    refuse(connection, "j1", at=1000.0)
    attention.acknowledge(connection, "job_refused", 1001.0, subject=None, until=1000.0)
    refuse(connection, "j2", at=10.0)
    assert counts(connection) == {"job_refused": 1}


def test_a_later_result_or_a_persons_no_ends_a_refused_job(connection: Connection):
    insert(connection, "series")
    refuse(connection, "j1")
    insert(connection, "job", job_id="j2", state="succeeded", revision=1)
    assert counts(connection) == {"job_refused": 1}
    insert(connection, "job", job_id="j3", state="succeeded", revision=2)
    assert counts(connection) == {}
    refuse(connection, "j4", revision=3)
    assert counts(connection) == {"job_refused": 1}
    connection.execute(SERIES.update().values(state="discarded"))
    assert counts(connection) == {}


def test_a_paused_destination_counts_while_the_settings_name_it_and_until_it_was_seen(
    connection: Connection,
):
    def fail() -> None:
        peer_failed(connection, RESEARCH, 50.0, error="unreachable")
        open_breaker(connection, RESEARCH, 80.0)

    fail()
    assert counts(connection, Circumstances()) == {}
    assert counts(connection) == {"destination_paused": 1}
    kind = "destination_paused"
    assert attention.acknowledge(connection, kind, 60.0, subject=RESEARCH, until=None) == 1
    fail()
    assert counts(connection) == {}
    note_success(connection, RESEARCH, 90.0)
    fail()
    assert counts(connection) == {kind: 1}


def test_an_alert_channel_that_cannot_send_needs_a_person_itself(connection: Connection):
    make_known(connection, "mail")
    note_failure(connection, "mail", 5.0, error="unreachable", retry_at=35.0)
    note_failure(connection, "mail", 35.0, error="unreachable", retry_at=95.0)
    rows = {row.kind: row for row in read_attention(connection, HERE)}
    assert (rows["alert_failing"].count, rows["alert_failing"].oldest_at) == (1, 5.0)
    assert counts(connection, Circumstances()) == {}
    note_sent(connection, "mail", 100.0)
    assert counts(connection) == {}


def test_a_lost_worker_that_was_seen_counts_again_when_it_is_lost_again(connection: Connection):
    def lost(beat: float) -> Circumstances:
        return Circumstances(observed={"process_silent": [Found("node2-1", beat, beat)]})

    assert counts(connection, lost(5.0)) == {"process_silent": 1}
    found = lost(5.0).observed["process_silent"]
    assert attention.acknowledge_observed(connection, "process_silent", 9.0, found) == 1
    assert counts(connection, lost(5.0)) == {}
    assert counts(connection, lost(6.0)) == {"process_silent": 1}


@pytest.mark.parametrize("kind", [k for k, about in KINDS.items() if not about.can_acknowledge])
def test_what_another_action_ends_cannot_be_dismissed(filled: Connection, kind: str):
    before = counts(filled)
    assert attention.acknowledge(filled, kind, NOW, subject=None, until=None) == 0
    assert attention.acknowledge_observed(filled, kind, NOW, [Found("x", None, 0.0)]) == 0
    assert counts(filled) == before


def test_every_kind_is_found_in_the_journal_or_observed(filled: Connection):
    for kind in KINDS.keys() - OBSERVED:
        list_found(filled, kind, limit=5)


def test_the_quarantine_is_counted_by_its_partial_index(connection: Connection):
    query = SUBJECTS["object_quarantined"].compile(
        dialect=connection.dialect, compile_kwargs={"literal_binds": True}
    )
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
    assert "instance_in_quarantine" in str(plan)

"""Processes that fall silent, jobs that stand still, a full disk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.lookout import HANGING, LEAVING, UNUSABLE, Lookout, Moment
from app.node.journal.processes import Heartbeat, beat
from app.node.journal.runs import note_progress
from app.settings import NodeSettings
from tests.builders.certificates import Authority
from tests.builders.journal_rows import insert

NODE = NodeSettings()
"""With its lease of 30 s, its reserve of 2 GB, and 900 s without progress."""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_journal(journal_url(tmp_path, None))
    with transaction(engine) as opened:
        yield opened
    engine.dispose()


def counts(
    lookout: Lookout, connection: Connection, at: float, *, jump: float = 0.0, free: int = 10**10
) -> dict[str, int]:
    moment = Moment(now=1000.0 + at + jump, monotonic_s=at, free_bytes=free)
    rows = lookout.look(connection, NODE, moment)
    return {row.kind: row.count for row in rows if row.count}


def report(connection: Connection, at: float, *names: str, **detail: object) -> None:
    for name in names:
        role = name.partition("@")[0]
        heart = Heartbeat(process_id=name, role=role, beat=1000.0 + at, detail=detail)
        beat(connection, heart)


def test_a_role_that_nobody_fills_is_missed_after_the_lease_and_not_at_the_start(
    connection: Connection,
):
    lookout = Lookout()
    assert counts(lookout, connection, 0.0) == {}
    assert counts(lookout, connection, 29.0) == {}
    assert counts(lookout, connection, 31.0) == {"process_silent": 3}
    report(connection, 32.0, "listener@a", "web@a", "worker@a")
    assert counts(lookout, connection, 33.0) == {}


def test_a_frozen_worker_counts_although_another_one_works(connection: Connection):
    lookout = Lookout()
    report(connection, 0.0, "listener@a", "web@a", "worker@a", "worker@b")
    assert counts(lookout, connection, 0.0) == {}
    report(connection, 31.0, "listener@a", "web@a", "worker@a")
    assert counts(lookout, connection, 31.0) == {"process_silent": 1}


def test_a_worker_that_said_it_leaves_is_not_lost(connection: Connection):
    lookout = Lookout()
    report(connection, 0.0, "listener@a", "web@a", "worker@a")
    report(connection, 0.0, "worker@b", **{LEAVING: True})
    counts(lookout, connection, 0.0)
    report(connection, 31.0, "listener@a", "web@a", "worker@a")
    assert counts(lookout, connection, 31.0) == {}


def test_a_worker_that_cannot_load_its_models_counts_and_one_that_loads_them_does_not(
    connection: Connection,
):
    lookout = Lookout()
    report(connection, 0.0, "listener@a", "web@a")
    report(connection, 0.0, "worker@a", **{UNUSABLE: ""})
    assert counts(lookout, connection, 0.0) == {}
    report(connection, 1.0, "worker@a", **{UNUSABLE: "start, exit 20, SPN-2000"})
    assert counts(lookout, connection, 1.0) == {"models_unusable": 1}
    report(connection, 2.0, "worker@a", **{UNUSABLE: "start", LEAVING: True})
    assert counts(lookout, connection, 2.0) == {}


def test_a_worker_that_reports_and_of_which_a_thread_hangs_is_named(connection: Connection):
    lookout = Lookout()
    report(connection, 0.0, "listener@a", "web@a")
    report(connection, 0.0, "worker@a", **{HANGING: "intake, scan"})
    moment = Moment(now=1000.0, monotonic_s=0.0, free_bytes=10**10)
    found = lookout.circumstances(connection, NODE, moment).observed["process_silent"]
    assert [one.subject for one in found] == ["worker@a: intake, scan"]
    report(connection, 1.0, "worker@a", **{HANGING: ""})
    assert counts(lookout, connection, 1.0) == {}


def test_a_listener_that_was_replaced_under_another_host_name_is_not_lost(connection: Connection):
    lookout = Lookout()
    report(connection, -500.0, "listener@old", "web@old")
    report(connection, 0.0, "listener@a", "web@a", "worker@a")
    assert counts(lookout, connection, 1.0) == {}
    report(connection, 40.0, "web@a", "worker@a")
    assert counts(lookout, connection, 40.0) == {"process_silent": 1}


def alive(connection: Connection, at: float) -> None:
    report(connection, at, "listener@a", "web@a", "worker@a")


def test_a_job_without_progress_for_15_minutes_counts_until_it_moves(connection: Connection):
    lookout = Lookout()
    insert(connection, "job", state="running", started_at=0.0, run_number=1)
    for at in (0.0, 890.0):
        alive(connection, at)
        assert counts(lookout, connection, at) == {}
    alive(connection, 901.0)
    assert counts(lookout, connection, 901.0) == {"job_stalled": 1}
    note_progress(connection, "j1", 1, step="postprocess", fraction=0.5)
    assert counts(lookout, connection, 902.0) == {}


def test_waiting_jobs_count_when_nothing_moves_any_more_and_not_behind_one_that_runs(
    connection: Connection,
):
    lookout = Lookout()
    insert(connection, "job", job_id="j1", state="queued")
    insert(connection, "job", job_id="j2", state="waiting")
    alive(connection, 0.0)
    assert counts(lookout, connection, 0.0) == {}
    alive(connection, 901.0)
    assert counts(lookout, connection, 901.0) == {"job_stalled": 2}
    insert(connection, "job", job_id="j3", state="running", started_at=1900.0)
    assert counts(lookout, connection, 902.0) == {}


def test_a_clock_that_jumps_an_hour_alarms_nobody(connection: Connection):
    lookout = Lookout()
    insert(connection, "job", state="running", started_at=1000.0)
    alive(connection, 0.0)
    assert counts(lookout, connection, 0.0) == {}
    for jump in (3600.0, -3600.0):
        assert counts(lookout, connection, 1.0, jump=jump) == {}


def test_a_disk_below_its_reserve_needs_a_person(connection: Connection):
    alive(connection, 0.0)
    assert counts(Lookout(), connection, 0.0, free=1_999_999_999) == {"disk_low": 1}


@pytest.mark.parametrize(("days", "count"), [(29, 1), (31, 0), (-1, 1)])
def test_a_certificate_that_ends_within_30_days_needs_a_person(
    connection: Connection, tmp_path: Path, days: int, count: int
) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    files = Authority(tmp_path).issue("node", expires=now + timedelta(days=days))
    tls = {"certificate_file": files.certificate, "key_file": files.key}
    node = NodeSettings.model_validate({"listener": {"tls_port": 2762, "tls": tls}})
    moment = Moment(now=now.timestamp(), monotonic_s=0.0, free_bytes=10**10)
    rows = Lookout().look(connection, node, moment)
    assert {row.kind: row.count for row in rows}["certificate_expires"] == count

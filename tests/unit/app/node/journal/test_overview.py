"""What the page reads of the journal."""

from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from app.node.journal import overview
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.rows import Window
from tests.builders.filled_journal import PACS, RESEARCH, STUDY, fill, series_uid_of
from tests.builders.journal_rows import insert


@pytest.fixture
def connection(tmp_path: Path):
    engine = open_journal(journal_url(tmp_path, None))
    fill(engine)
    with transaction(engine) as opened:
        yield opened


def test_studies_come_by_their_last_activity_and_keep_their_series_together(connection: Connection):
    rows = overview.list_series(connection, Window())
    assert [row.study_uid for row in rows] == [STUDY] * 4 + [f"{STUDY}.900"]
    assert overview.list_series(connection, Window(limit=1, offset=1))[0].state == "held"
    assert [
        row.state for row in overview.list_series(connection, Window(states=("rejected",)))
    ] == ["rejected"]


def test_a_series_counts_its_different_objects_and_names_its_latest_job(connection: Connection):
    uid = series_uid_of("held")
    insert(connection, "instance", sop_instance_uid=f"{uid}.0", digest="f" * 64, series_uid=uid)
    insert(
        connection, "instance", sop_instance_uid=f"{uid}.99", series_uid=uid, state="quarantined"
    )
    held = overview.find_series(connection, uid)
    assert held is not None
    assert (held.instances, held.job_id, held.is_forced) == (17, None, False)
    accepted = overview.find_series(connection, series_uid_of("accepted"))
    assert accepted is not None
    assert (accepted.job_id, accepted.job_state) == ("j-waiting", "waiting")
    assert overview.find_series(connection, "1.2.3") is None


def test_a_column_that_holds_no_json_object_shows_as_nothing(connection: Connection):
    insert(connection, "series", series_uid="7.7", completeness="[1]", decision="{broken")
    row = overview.find_series(connection, "7.7")
    assert row is not None
    assert (row.completeness, row.decision) == ({}, {})


def test_jobs_come_newest_first_with_the_number_of_their_objects(connection: Connection):
    jobs = overview.list_jobs(connection, Window())
    assert [job.job_id for job in jobs[:2]] == ["j-waiting", "j-queued"]
    found = overview.find_job(connection, "j-succeeded")
    assert found is not None
    assert (found.inputs, found.record["profile"]) == (19, "cpu-fp32")
    assert len(overview.jobs_of_series(connection, series_uid_of("accepted"))) == 7
    assert len(overview.results_of_job(connection, "j-succeeded")) == 3


def test_a_job_whose_series_row_is_gone_is_still_listed(connection: Connection):
    insert(connection, "job", job_id="orphan", series_uid="8.8")
    row = overview.find_job(connection, "orphan")
    assert row is not None
    assert row.description == ""


def test_deliveries_are_chosen_by_state_and_destination(connection: Connection):
    there = overview.list_deliveries(connection, Window(), destination=RESEARCH)
    assert {row.state for row in there} == {"queued", "parked", "declined"}
    one = overview.list_deliveries(connection, Window(states=("dead",)), destination=PACS)
    assert [row.delivery_id for row in one] == ["d-dead"]
    assert one[0].name == "series2_instances.dcm"  # delivery 6 of 8 carries the second object
    assert len(overview.deliveries_of_job(connection, "j-succeeded")) == 8


def test_quarantine_is_found_by_its_own_index_and_long_lists_by_age(connection: Connection):
    def plan(query: str) -> str:
        return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all())

    assert "instance_in_quarantine" in plan(
        "SELECT path FROM instance WHERE state = 'quarantined' ORDER BY received_at DESC LIMIT 5"
    )
    assert "job_by_age" in plan("SELECT job_id FROM job ORDER BY created_at DESC LIMIT 5")
    assert "delivery_by_age" in plan("SELECT delivery_id FROM delivery ORDER BY created_at LIMIT 5")

"""Received images go only after every delivery is confirmed, and never by percentage."""

from __future__ import annotations

import os

import pytest

from app.errors import SpoolError
from app.node.archive.patient_retention import apply_patient_retention
from app.node.archive.retention import apply_retention
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.tables import INSTANCE, JOB, RESULT, SERIES
from app.node.telemetry.logs import silent
from app.settings import RetentionSettings
from app.settings.patients import PatientSettings
from tests.builders.journal_rows import insert

DAY_S = 86_400.0


@pytest.fixture
def data(tmp_path):
    for path in ("spool/series/aa/bb/cc.dcm", "results/j1/a_semantic.dcm"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(b"x")
    return tmp_path


@pytest.fixture
def engine(data):
    engine = open_journal(journal_url(data, None))
    yield engine
    engine.dispose()


def a_finished_series(engine, *, series="accepted", job="succeeded", delivery="delivered"):
    with transaction(engine) as connection:
        insert(connection, "instance")
        insert(connection, "series", state=series)
        insert(connection, "job", state=job, finished_at=0.0)
        insert(connection, "result")
        insert(connection, "delivery", state=delivery)


def deleted_after(engine, data, days):
    now = days * DAY_S
    return apply_retention(engine, data, RetentionSettings(), now=now, emit=silent)


def test_a_delivered_series_is_deleted_after_14_days_and_its_row_remains(engine, data):
    a_finished_series(engine)
    assert deleted_after(engine, data, 13.9)["accepted"] == 0
    assert deleted_after(engine, data, 14.1)["accepted"] == 1
    assert not (data / "spool/series/aa").joinpath("bb").exists()
    with reading(engine) as connection:
        assert connection.execute(INSTANCE.select()).one().state == "deleted"
    assert deleted_after(engine, data, 14.2)["accepted"] == 0


@pytest.mark.parametrize("state", ["held", "queued", "sent", "parked", "dead"])
def test_an_unconfirmed_delivery_keeps_images_and_result_for_1000_days(engine, data, state):
    a_finished_series(engine, delivery=state)
    assert not any(deleted_after(engine, data, 1000).values())
    assert (data / "spool/series/aa/bb/cc.dcm").exists()
    assert (data / "results/j1/a_semantic.dcm").exists()


def test_what_a_destination_does_not_take_and_need_not_keeps_nothing(engine, data):
    a_finished_series(engine, delivery="declined")
    assert deleted_after(engine, data, 14.1)["accepted"] == 1


@pytest.mark.parametrize("state", ["waiting", "queued", "running", "dead"])
def test_an_unfinished_or_dead_job_keeps_its_images(engine, data, state):
    a_finished_series(engine, job=state)
    assert deleted_after(engine, data, 1000)["accepted"] == 0


@pytest.mark.parametrize(("state", "days"), [("rejected", 3), ("discarded", 7)])
def test_series_without_work_go_after_their_own_age(engine, data, state, days):
    with transaction(engine) as connection:
        insert(connection, "instance")
        insert(connection, "series", state=state)
    assert deleted_after(engine, data, days - 0.1)[state] == 0
    assert deleted_after(engine, data, days + 0.1)[state] == 1


@pytest.mark.parametrize("state", ["receiving", "held"])
def test_a_series_that_waits_is_never_deleted(engine, data, state):
    with transaction(engine) as connection:
        insert(connection, "instance")
        insert(connection, "series", state=state)
    assert not any(deleted_after(engine, data, 10_000).values())


def test_a_delivered_result_is_deleted_after_90_days_and_keeps_its_digest(engine, data):
    a_finished_series(engine)
    assert deleted_after(engine, data, 89)["result"] == 0
    assert deleted_after(engine, data, 91)["result"] == 1
    assert not (data / "results/j1").exists()
    with reading(engine) as connection:
        row = connection.execute(RESULT.select()).one()
    assert (row.path, row.digest) == ("", "d" * 64)


def test_an_object_without_series_goes_after_14_days(engine, data):
    with transaction(engine) as connection:
        insert(connection, "instance", series_uid="", state="quarantined")
    assert deleted_after(engine, data, 13)["stray"] == 0
    assert deleted_after(engine, data, 15)["stray"] == 1


def test_the_copy_that_an_upgrade_left_goes_with_the_texts_after_a_year(engine, data):
    copy = data / "journal-before-0002.db"
    copy.write_bytes(b"x")
    os.utime(copy, (0, 0))
    assert deleted_after(engine, data, 364)["journal_copy"] == 0
    assert deleted_after(engine, data, 366)["journal_copy"] == 1
    assert not copy.exists()
    assert (data / "journal.db").exists()


def test_a_file_that_cannot_be_deleted_stays_in_the_journal(engine, data):
    a_finished_series(engine)
    (data / "spool/series/aa/bb/cc.dcm").unlink()
    (data / "spool/series/aa/bb/cc.dcm").mkdir()
    with pytest.raises(SpoolError):
        deleted_after(engine, data, 20)
    with reading(engine) as connection:
        assert connection.execute(INSTANCE.select()).one().state == "stored"


TEXTS = {"description": "t2_tse_sag", "decision": '{"accepted": true}', "completeness": '{"a": 1}'}


def with_texts(engine, *, series="accepted", **job):
    with transaction(engine) as connection:
        insert(connection, "series", state=series, last_activity_at=0.0, **TEXTS)
        insert(
            connection,
            "job",
            finished_at=0.0,
            record='{"b": 2}',
            step="publish",
            fraction=1.0,
            **job,
        )


def test_texts_are_forgotten_after_a_year_and_what_is_done_once_depends_on_stays(engine, data):
    with_texts(engine, state="succeeded")
    with reading(engine) as connection:
        before = [
            dict(row)
            for table in (SERIES, JOB)
            for row in connection.execute(table.select()).mappings()
        ]
    assert deleted_after(engine, data, 364)["text"] == 0
    assert deleted_after(engine, data, 366)["text"] == 1
    assert deleted_after(engine, data, 367)["text"] == 0
    with reading(engine) as connection:
        after = [
            dict(row)
            for table in (SERIES, JOB)
            for row in connection.execute(table.select()).mappings()
        ]
    series, job = before
    assert after == [
        series | {"description": "", "decision": "{}", "completeness": "{}"},
        job | {"record": "{}", "step": "", "fraction": 0.0},
    ]


@pytest.mark.parametrize(("series", "job"), [("held", "succeeded"), ("accepted", "dead")])
def test_texts_of_what_waits_for_a_person_are_kept(engine, data, series, job):
    with_texts(engine, series=series, state=job)
    assert deleted_after(engine, data, 10_000)["text"] == 0


def test_patients_go_after_their_days_or_at_once_where_none_are_kept(engine):
    told = []
    with transaction(engine) as connection:
        for number in (1, 2):
            uid = f"1.{number}"
            insert(connection, "study", study_uid=uid, arrived_at=number * DAY_S)
            insert(connection, "patient", study_uid=uid, patient_name="DOE^JANE")

    def gone(settings: PatientSettings, days: float) -> int:
        return apply_patient_retention(
            engine, settings, now=days * DAY_S, emit=lambda _event, **values: told.append(values)
        )

    assert gone(PatientSettings(days=10), 11.0) == 0
    assert gone(PatientSettings(days=10), 11.1) == 1
    assert gone(PatientSettings(keep=False), 1.0) == 1
    assert gone(PatientSettings(keep=False), 1.0) == 0
    assert told == [{"kind": "patient", "count": 1}] * 2

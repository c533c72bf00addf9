"""Studies are found by patient, number, date, sender and state; pages leave none out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.journal.engine import reading, transaction
from app.node.journal.patients import (
    PatientAttributes,
    StudyArrival,
    forget_patients,
    keep_patient,
    note_study,
    patient_of,
)
from app.node.journal.studies import STATES, find_studies, find_study
from app.node.journal.study_rows import Day, Place, Wanted
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal

DAY_S = 86_400.0
PEOPLE = {
    "1.1": PatientAttributes(
        patient_name="DOE^JANE", patient_id="a1", accession_number="X_1", study_date="20240110"
    ),
    "1.2": PatientAttributes(
        patient_name="Doering^Max", patient_id="A1", accession_number="X21", study_date="20240111"
    ),
    "1.3": PatientAttributes(
        patient_name="MÜLLER^Jörg", patient_id="A[2]", accession_number="Y%", study_date="20240112"
    ),
    "1.4": PatientAttributes(patient_name="Yamada^Tarou=山田^太郎", patient_id="B1"),
    "1.5": PatientAttributes(patient_name="VAN DER BERG^JAN", patient_id="B2"),
}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Engine]:
    engine = empty_journal(tmp_path)
    with transaction(engine) as c:
        for number, (uid, patient) in enumerate(PEOPLE.items()):
            insert(c, "study", study_uid=uid, arrived_at=number * DAY_S, calling_ae_title=f"M{uid}")
            keep_patient(c, uid, patient)
        insert(c, "study", study_uid="1.6", arrived_at=5 * DAY_S)
    yield engine
    engine.dispose()


def found(engine: Engine, **wanted: object) -> list[str]:
    with reading(engine) as c:
        page = find_studies(c, Wanted(**wanted), limit=50)  # type: ignore[arg-type]
    return sorted(row.study_uid for row in page.rows)


@pytest.mark.parametrize(
    ("name", "uids"),
    [
        ("doe", ["1.1", "1.2"]),
        ("DOE^J", ["1.1"]),
        ("doe, jane", ["1.1"]),
        ("Doe ", ["1.1", "1.2"]),
        ("d?e*jane", ["1.1"]),
        ("jane", []),
        ("*jane", ["1.1"]),
        ("muller", ["1.3"]),
        ("MÜLLER^JÖRG", ["1.3"]),
        ("山田", ["1.4"]),
        ("太郎", []),
        ("van der", ["1.5"]),
        ("%", []),
        ("_oe", []),
        ("*", ["1.1", "1.2", "1.3", "1.4", "1.5"]),
    ],
)
def test_names_are_found_without_regard_to_case_and_accents(
    journal: Engine, name: str, uids: list[str]
):
    assert found(journal, name=name) == uids


@pytest.mark.parametrize(
    ("wanted", "uids"),
    [
        ({"patient_id": "A1"}, ["1.2"]),
        ({"patient_id": "a*"}, ["1.1"]),
        ({"patient_id": "A*"}, ["1.2", "1.3"]),
        ({"patient_id": "A[2]*"}, ["1.3"]),
        ({"patient_id": "?1"}, ["1.1", "1.2", "1.4"]),
        ({"patient_id": "A"}, []),
        ({"accession_number": "X_*"}, ["1.1"]),
        ({"accession_number": "Y%"}, ["1.3"]),
        ({"sender": "M1.4"}, ["1.4"]),
        ({"name": "doe", "patient_id": "a1"}, ["1.1"]),
    ],
)
def test_numbers_are_compared_as_they_are_written(
    journal: Engine, wanted: dict[str, str], uids: list[str]
):
    assert found(journal, **wanted) == uids


def day(digits: str, begin: float) -> Day:
    return Day(digits=digits, begin=begin, end=begin + DAY_S)


def test_dates_are_those_of_the_study_else_of_its_arrival(journal: Engine):
    first, last = day("20240111", 3.5 * DAY_S), day("20240112", 4 * DAY_S)
    assert found(journal, first=first, last=last) == ["1.2", "1.3", "1.5"]
    assert found(journal, first=first) == ["1.2", "1.3", "1.5", "1.6"]


def test_a_study_is_found_by_what_its_series_jobs_and_results_are_doing(journal: Engine):
    with transaction(journal) as c:
        insert(c, "series", series_uid="s1", study_uid="1.1", state="receiving")
        insert(c, "series", series_uid="s2", study_uid="1.2", state="held")
        for uid, state in (("1.3", "running"), ("1.4", "succeeded"), ("1.5", "dead")):
            insert(c, "job", job_id=f"j{uid}", study_uid=uid, series_uid=uid, state=state)
        insert(c, "delivery", job_id="j1.4", state="held")
        insert(c, "delivery", delivery_id="d2", job_id="j1.4", state="delivered")
        note_study(c, arrival("1.6", 6 * DAY_S, "A"))
        note_study(c, arrival("1.6", 7 * DAY_S, "B"))
    states = {state: found(journal, state=state) for state in STATES}
    assert states == {
        "receiving": ["1.1"],
        "incomplete": ["1.2"],
        "working": ["1.3"],
        "to_release": ["1.4"],
        "sending": [],
        "delivered": ["1.4"],
        "failed": ["1.5"],
        "without_job": ["1.1", "1.2", "1.6"],
        "changed_patient": ["1.6"],
    }
    with reading(journal) as c:
        row = find_study(c, "1.4")
    assert row is not None
    assert (row.jobs, row.deliveries) == ({"succeeded": 1}, {"held": 1, "delivered": 1})


def test_pages_follow_each_other_although_studies_arrive_in_between(journal: Engine):
    with reading(journal) as c:
        first = find_studies(c, Wanted(), limit=2)
    assert [row.study_uid for row in first.rows] == ["1.6", "1.5"]
    assert first.newer is None
    with transaction(journal) as c:
        note_study(c, arrival("1.7", 8 * DAY_S, "A"))
    with reading(journal) as c:
        second = find_studies(c, Wanted(), limit=2, place=first.older)
        third = find_studies(c, Wanted(), limit=2, place=second.older)
        back = find_studies(c, Wanted(), limit=2, place=third.newer)
        top = find_studies(c, Wanted(), limit=2, place=back.newer)
        top = find_studies(c, Wanted(), limit=2, place=top.newer)
    assert [row.study_uid for row in second.rows] == ["1.4", "1.3"]
    assert [row.study_uid for row in third.rows] == ["1.2", "1.1"]
    assert third.older is None
    assert back.rows == second.rows
    assert [row.study_uid for row in top.rows] == ["1.7"]
    assert top.newer is None
    assert top.older == Place(arrived_at=8 * DAY_S, study_uid="1.7")


def arrival(uid: str, at: float, name: str, *, is_image: bool = True) -> StudyArrival:
    patient = PatientAttributes(patient_name=name, patient_id=name)
    return StudyArrival(
        study_uid=uid, calling_ae_title="CT", at=at, is_image=is_image, patient=patient
    )


@pytest.mark.parametrize(
    ("second", "is_image", "changed_at"),
    [
        ("DOE^JANE", True, None),
        ("doe^jane", True, None),
        ("ROE^JANE", True, 2.0),
        ("ROE^JANE", False, None),
    ],
)
def test_only_another_patient_of_an_image_is_a_change(
    journal: Engine,
    second: str,
    is_image: bool,  # noqa: FBT001 - a column of the table
    changed_at: float | None,
):
    for at, name in ((1.0, "DOE^JANE"), (2.0, second)):
        patient = PatientAttributes(patient_name=name, patient_id="1", birth_date="19700101")
        with transaction(journal) as c:
            note_study(
                c,
                StudyArrival(
                    study_uid="9", calling_ae_title="MR", at=at, is_image=is_image, patient=patient
                ),
            )
    with reading(journal) as c:
        row = find_study(c, "9")
    assert row is not None
    assert row.patient_changed_at == changed_at
    assert row.patient is not None
    assert row.patient.patient_name == second


def test_patients_are_forgotten_and_their_studies_stay(journal: Engine):
    with transaction(journal) as c:
        assert forget_patients(c, 2 * DAY_S, 100) == 2
        assert forget_patients(c, 2 * DAY_S, 100) == 0
    assert found(journal, name="doe") == []
    assert found(journal) == ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"]
    with transaction(journal) as c:
        assert forget_patients(c, float("inf"), 2) == 2
        assert forget_patients(c, float("inf"), 2) == 1
        assert patient_of(c, "1.5") is None


def test_a_name_that_grows_when_it_is_folded_still_fits_its_column(journal: Engine):
    with transaction(journal) as c:
        keep_patient(c, "1.6", PatientAttributes(patient_name="\ufdfa" * 256))
        (key,) = c.exec_driver_sql("SELECT name_key FROM patient WHERE study_uid = '1.6'").one()
    assert len(key) == 512

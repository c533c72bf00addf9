"""Whose report it is: header values as a page shows them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from pydicom.dataset import Dataset

from operators.imaging.volume import Volume
from operators.report.identity import identity_of, source_text, time_text


def header(**values: str) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Doe^Jane", "Doe, Jane"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou"),
        ("=山田^太郎", "山田, 太郎"),
        ("Doe^Jane^Q^Dr^Jr", "Doe, Jane Q Dr Jr"),
        ("Doe", "Doe"),
        ("", ""),
    ],
)
def test_a_name_is_shown_in_its_alphabetic_form_where_it_has_one(name: str, shown: str):
    assert dict(identity_of(header(PatientName=name), "series2_ab"))["Patient"] == shown


def test_missing_values_stay_empty():
    found = dict(
        identity_of(
            header(PatientID="X" * 64, PatientName="A" * 40 + "^" + "B" * 20 + "^^" + "C"), "k"
        )
    )
    assert found["Study"] == found["Born, sex"] == ""
    assert found["Patient ID"] == "X" * 64
    assert found["Patient"] == "A" * 40 + ", " + "B" * 20 + " C"


def test_study_and_series_say_date_accession_and_stack():
    made = header(StudyDate="20260304", AccessionNumber="A1", PatientBirthDate="")
    found = dict(identity_of(made, "series2_ab", "stack 2 of 3"))
    assert found["Study"] == "2026-03-04, accession A1"
    assert found["Series"] == "series2_ab, stack 2 of 3"
    assert found["Born, sex"] == ""


def test_the_time_is_that_of_the_objects_else_the_clock():
    made = header(ContentDate="20260304", ContentTime="050607.890000")
    clock = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert time_text(made, clock) == "2026-03-04 05:06"
    assert time_text(None, clock) == "2026-01-02 03:04:05+00:00"


def test_the_source_is_described_whatever_the_order_of_its_axes():
    affine = np.array([[0.5, 0, 0, 0], [0, 0.6, 0, 0], [0, 0, 4.0, 0], [0, 0, 0, 1.0]])
    affine = affine[:, [1, 0, 2, 3]]  # k back, j left, i up
    volume = Volume(np.zeros((30, 40, 50), np.float32), affine)
    text = "40 sagittal slices, 0.5 mm apart, pixels 4.00 x 0.60 mm"
    assert source_text(volume) == text
    assert source_text(volume, "1.2.3") == f"{text}; series 1.2.3"


def test_a_series_is_called_what_the_scanner_calls_it():
    found = dict(identity_of(header(), "series2_ab", "", " t2_tse_sag "))
    assert found["Series"] == "t2_tse_sag, series2_ab"

"""A result must be able to point back: to one instance an image, in one study of one patient."""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.dicom.reading.frames import Frame
from operators.dicom.reading.source_identity import identity_findings
from tests.builders.plain_headers import MR_IMAGE, header


def _frames(slices: int = 11, **changes: dict[int, object]) -> list[Frame]:
    """Frames that say who they are; `changes` by keyword and slice, None for absent."""
    frames = []
    for k in range(slices):
        values: dict[str, object] = {
            "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": "1.2.3.4",
            "SOPInstanceUID": f"1.2.3.4.{k + 1}",
            "SOPClassUID": MR_IMAGE,
            "PatientID": "P",
            "PatientName": "A^B",
            "ImagePositionPatient": [4.0 * k, 0, 0],
        }
        for keyword, by_slice in changes.items():
            values[keyword] = by_slice.get(k, values[keyword])
        frames.append(Frame(Path(f"{k}.dcm"), None, header(**values)))
    return frames


def _names(frames: list[Frame]) -> list[str]:
    return [finding.name for finding in identity_findings(frames)]


def test_11_slices_that_say_who_they_are_have_no_finding():
    assert _names(_frames()) == []


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("StudyInstanceUID", "missing_study_uid"),
        ("SeriesInstanceUID", "missing_series_uid"),
        ("SOPInstanceUID", "missing_sop_instance_uid"),
        ("SOPClassUID", "missing_sop_class_uid"),
    ],
)
def test_a_uid_that_no_slice_has_is_named(keyword: str, name: str):
    assert _names(_frames(**{keyword: dict.fromkeys(range(11))})) == [name]


@pytest.mark.parametrize(
    ("keyword", "value", "name"),
    [
        ("StudyInstanceUID", "1.2.9", "mixed_study"),
        ("SeriesInstanceUID", "1.2.9", "mixed_series"),
        ("PatientID", "Q", "mixed_patient"),
        ("PatientID", None, "mixed_patient"),
    ],
)
def test_one_slice_of_11_that_belongs_elsewhere_is_named(keyword: str, value: object, name: str):
    assert _names(_frames(**{keyword: {7: value}})) == [name]


def test_without_patient_ids_the_names_tell_patients_apart():
    absent = dict.fromkeys(range(11))

    assert _names(_frames(PatientID=absent)) == []
    assert _names(_frames(PatientID=absent, PatientName={7: "C^D"})) == ["mixed_patient"]


def test_one_uid_on_all_slices_is_repeated():
    frames = _frames(SOPInstanceUID=dict.fromkeys(range(11), "1.2.3.4.1"))

    assert _names(frames) == ["repeated_sop_instance_uid"]


def test_one_uid_twice_at_one_place_is_a_copy_that_differs():
    frames = _frames(SOPInstanceUID={7: "1.2.3.4.1"}, ImagePositionPatient={7: [0.0, 0, 0]})

    assert _names(frames) == ["conflicting_copies"]


def test_the_frames_of_one_instance_share_its_uid():
    frames = [
        Frame(Path("one.dcm"), number, frame.header)
        for number, frame in enumerate(
            _frames(SOPInstanceUID=dict.fromkeys(range(11), "1.2.3.4.1")), start=1
        )
    ]

    assert _names(frames) == []


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom names what it is given
@pytest.mark.parametrize("uid", ["1." + "2" * 63, "1.2.x", "1..2", "1.2."])
def test_what_is_no_uid_is_named(uid: str):
    assert _names(_frames(StudyInstanceUID=dict.fromkeys(range(11), uid))) == ["invalid_uid"]


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom names what it is given
def test_a_leading_zero_passes_since_archives_hold_it():
    assert _names(_frames(StudyInstanceUID=dict.fromkeys(range(11), "1.02.3"))) == []

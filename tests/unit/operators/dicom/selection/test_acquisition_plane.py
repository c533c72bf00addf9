"""Planes from orientation cosines, with angles known by construction."""

from __future__ import annotations

import pytest

from operators.dicom.selection.acquisition_plane import (
    judge_plane,
    slice_normal,
    tilt_of,
)
from tests.builders.plain_headers import header, place


def _judge(*placed: tuple[str, float]) -> dict[str, tuple[bool, str]]:
    headers = [header(**place(plane, angle, 0.0)) for plane, angle in placed]
    judged = judge_plane(headers, max_obliquity_deg=30.0)
    return {reason.name: (reason.decides, reason.detail) for reason in judged}


@pytest.mark.parametrize("angle", [0.0, 12.0, 29.5])
def test_a_sagittal_slice_turned_by_up_to_30_degrees_is_sagittal(angle: float):
    told = _judge(("sagittal", angle))

    assert told == {"sagittal": (True, f"up to {angle:.0f} degrees off the sagittal plane")}


def test_a_sagittal_slice_turned_by_40_degrees_is_oblique():
    assert _judge(("sagittal", 40.0)) == {
        "oblique": (True, "up to 40 degrees off the sagittal plane"),
    }


@pytest.mark.parametrize("plane", ["axial", "coronal"])
def test_other_planes_are_named(plane: str):
    assert list(_judge((plane, 5.0))) == [plane]


def test_a_three_plane_localizer_names_both_other_planes_and_the_mixture():
    told = _judge(("sagittal", 0), ("axial", 0), ("coronal", 0))

    assert set(told) == {"axial", "coronal", "mixed_orientations"}
    assert told["mixed_orientations"] == (True, "1 axial, 1 coronal, 1 sagittal")


def test_three_planes_are_a_localizer_although_most_slices_are_sagittal():
    told = _judge(*[("sagittal", 0.0)] * 7, ("axial", 0), ("coronal", 0))

    assert told["mixed_orientations"] == (True, "1 axial, 1 coronal, 7 sagittal")


def test_one_axial_slice_of_four_is_a_hint_beside_sagittal():
    told = _judge(("sagittal", 0), ("sagittal", 0), ("sagittal", 0), ("axial", 0))

    assert told["sagittal"][0]
    assert told["mixed_orientations"] == (False, "1 axial, 3 sagittal")


@pytest.mark.parametrize(
    "cosines",
    [None, [0, 1, 0], [0, 1, 0, 0, 1, 0], [0, 2, 0, 0, 0, -1], [0, 0, 0, 0, 0, 0]],
)
def test_an_impossible_orientation_is_not_named_absent(cosines: list[float] | None):
    item = header(ImageOrientationPatient=cosines)

    assert slice_normal(item) is None
    judged = judge_plane([item], max_obliquity_deg=30.0)
    name = "orientation_missing" if cosines is None else "unreadable_orientation"
    assert [reason.name for reason in judged] == [name]


def test_the_normal_is_row_cross_column():
    item = header(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])

    assert slice_normal(item) == pytest.approx((-1.0, 0.0, 0.0))


def test_the_direction_of_the_normal_does_not_matter():
    assert tilt_of((-1.0, 0.0, 0.0)) == tilt_of((1.0, 0.0, 0.0))

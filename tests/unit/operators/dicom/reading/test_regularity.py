from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from operators.dicom.reading.geometry import ImagePlane
from operators.dicom.reading.regularity import judge

_AXES = np.array([[0.0, 1, 0], [0, 0, -1]])


def _planes(places: list[float], **changes: object) -> list[ImagePlane]:
    plain = [
        ImagePlane(np.array([-x, 0, 0]), _AXES, (0.9, 0.6), (40, 32), "1.2", ("", "", ""))
        for x in places
    ]
    return [replace(plane, **changes) for plane in plain]


def _names(planes: list[ImagePlane]) -> list[str]:
    return [finding.name for finding in judge(planes)]


_TWELVE = [4.4 * n for n in range(12)]


def test_12_regular_slices_give_no_finding():
    assert _names(_planes(_TWELVE)) == []


def test_any_one_missing_inner_slice_of_12_is_named_and_nothing_else():
    for lost in range(1, 11):
        (finding,) = judge(_planes([x for n, x in enumerate(_TWELVE) if n != lost]))
        assert finding.name == "missing_slice"
        assert finding.detail == "1 missing: a gap of 8.80 mm where 4.40 mm is the rule"


def test_3_missing_slices_in_two_holes_are_counted():
    (finding,) = judge(_planes([x for n, x in enumerate(_TWELVE) if n not in (3, 4, 8)]))

    assert finding.detail.startswith("3 missing")


@pytest.mark.parametrize("share", [0.94, 1.06, 1.3, 1.7, 0.5])
def test_one_distance_off_by_more_than_5_percent_is_irregular(share: float):
    places = [x if n < 6 else x + 4.4 * (share - 1) for n, x in enumerate(_TWELVE)]

    assert _names(_planes(places)) == ["irregular_spacing"]


@pytest.mark.parametrize("share", [0.96, 1.04])
def test_one_distance_off_by_4_percent_is_accepted(share: float):
    places = [x if n < 6 else x + 4.4 * (share - 1) for n, x in enumerate(_TWELVE)]

    assert _names(_planes(places)) == []


def test_distances_0_3_6_11_12_15_are_irregular_without_a_missing_slice():
    assert _names(_planes([0, 3, 6, 11, 12, 15])) == ["irregular_spacing"]


def test_distances_that_are_4_percent_off_one_way_and_then_the_other_add_up():
    gaps = [4.4 * 0.965] * 20 + [4.4 * 1.005] * 20

    (finding,) = judge(_planes(list(np.cumsum(gaps))))

    assert finding.name == "irregular_spacing"
    assert "off a regular grid" in finding.detail


def test_a_hole_and_an_irregular_distance_are_both_named():
    places = [x for n, x in enumerate(_TWELVE) if n != 3]
    places[-1] += 1.5

    assert _names(_planes(places)) == ["missing_slice", "irregular_spacing"]


@pytest.mark.parametrize(("shift", "expected"), [(1.0, ["shear"]), (0.02, [])])
def test_slices_shifted_by_a_third_of_their_distance_are_sheared(shift: float, expected: list[str]):
    planes = [
        replace(plane, position_lps=plane.position_lps + np.array([0, shift * n, 0]))
        for n, plane in enumerate(_planes([3.0 * n for n in range(12)]))
    ]

    assert _names(planes) == expected


def test_4_slices_are_too_few_and_5_are_enough():
    assert _names(_planes(_TWELVE[:4])) == ["too_few_slices"]
    assert _names(_planes(_TWELVE[:5])) == []
    assert _names([]) == ["too_few_slices"]


def test_12_images_at_one_position_are_duplicates_and_too_few_slices():
    assert _names(_planes([0.0] * 12)) == ["duplicate_positions", "too_few_slices"]


@pytest.mark.parametrize(
    ("contrasts", "name"),
    [
        (("100", "", ""), "several_echoes"),
        (("", "2", ""), "several_temporal_positions"),
        (("", "", "800"), "several_b_values"),
    ],
)
def test_positions_seen_twice_are_named_by_what_tells_the_images_apart(
    contrasts: tuple[str, str, str], name: str
):
    assert _names(_planes(_TWELVE) + _planes(_TWELVE, contrasts=contrasts)) == [name]


def test_one_position_seen_twice_alike_is_a_duplicate():
    assert _names(_planes([*_TWELVE, _TWELVE[4]])) == ["duplicate_positions"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"position_lps": None}, "missing_position"),
        ({"axes": None}, "missing_orientation"),
        ({"spacing_mm": None}, "missing_pixel_spacing"),
        ({"axes": _AXES[::-1]}, "mixed_orientation"),
        ({"spacing_mm": (0.9, 0.61)}, "mixed_pixel_spacing"),
        ({"frame_of_reference": "1.3"}, "mixed_frame_of_reference"),
    ],
)
def test_one_odd_plane_among_12_is_named(changes: dict[str, object], name: str):
    planes = _planes(_TWELVE)
    planes[5] = replace(planes[5], **changes)

    assert _names(planes) == [name]


def test_one_plane_of_another_matrix_around_the_same_centre_is_only_a_mixed_matrix():
    planes = _planes(_TWELVE)
    shifted = planes[5].position_lps + np.array([0, -16 * 0.6, 20 * 0.9])
    planes[5] = replace(planes[5], shape=(80, 64), position_lps=shifted)

    assert _names(planes) == ["mixed_matrix"]


def test_all_four_reasons_of_one_broken_stack_are_named():
    planes = _planes([0, 3, 6, 12, 15, 18, 19])
    planes[2] = replace(planes[2], shape=(80, 64), spacing_mm=None)

    assert _names(planes) == [
        "missing_pixel_spacing",
        "mixed_matrix",
        "missing_slice",
        "irregular_spacing",
    ]

"""The size of the imaged region, as hints."""

from __future__ import annotations

from operators.dicom.selection.field_of_view import judge_field
from tests.builders.plain_headers import t2_headers


def _told(slices: int = 11, **changes: object) -> dict[str, str]:
    judged = judge_field(t2_headers(slices, **changes))
    assert not any(reason.decides for reason in judged)
    return {reason.name: reason.detail for reason in judged}


def test_a_field_of_280_mm_is_spine_sized():
    assert _told() == {"spine_sized_field_of_view": "long side 280 mm"}


def test_a_field_of_90_mm_is_unusual():
    assert _told(Rows=90, Columns=60, PixelSpacing=[1.0, 1.0]) == {
        "unusual_field_of_view": "long side 90 mm",
    }


def test_forty_slices_of_4_4_mm_cover_more_than_a_spine():
    assert _told(40)["wide_coverage"] == "172 mm across"


def test_four_slices_are_few():
    assert _told(4)["few_slices"] == "4 slices"


def test_without_pixel_spacing_nothing_is_said():
    assert _told(PixelSpacing=None) == {}

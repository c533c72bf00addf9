"""Slices and gaps as coordinates."""

import pytest

from app.node.web.slice_map import WIDTH, slice_map, slice_map_of


def test_19_slices_without_a_gap_fill_the_drawing_evenly():
    drawn = slice_map([4.4 * n for n in range(19)], [])
    assert drawn is not None
    assert (drawn.present, drawn.missing, drawn.gaps) == (19, 0, ())
    assert drawn.spacing_mm == pytest.approx(4.4)
    steps = {
        round(after.middle - before.middle, 1)
        for before, after in zip(drawn.bars, drawn.bars[1:], strict=False)
    }
    assert len(steps) == 1
    assert drawn.bars[0].x > 0
    assert drawn.bars[-1].x + drawn.bars[-1].width < WIDTH


def test_two_missing_neighbours_are_one_gap_with_its_place():
    drawn = slice_map([0.0, 4.0, 16.0, 20.0, 28.0], [8.0, 12.0, 24.0])
    assert drawn is not None
    assert [bar.is_missing for bar in drawn.bars] == [
        False,
        False,
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    assert drawn.gaps == (
        "2 slices missing at 8.0 mm to 12.0 mm, between slices 2 and 5",
        "1 slice missing at 24.0 mm, between slices 6 and 8",
    )


def test_one_slice_is_drawn_and_none_is_not():
    one = slice_map([3.0], [])
    assert one is not None
    assert one.spacing_mm is None
    assert slice_map([], []) is None


def test_the_same_place_twice_divides_by_nothing():
    drawn = slice_map([5.0, 5.0], [])
    assert drawn is not None
    assert len(drawn.bars) == 2


@pytest.mark.parametrize("odd", [{}, {"places_mm": None}, {"places_mm": "x"}, {"places_mm": ["a"]}])
def test_a_journal_row_of_another_shape_shows_no_map(odd: dict[str, object]):
    assert slice_map_of(odd) is None

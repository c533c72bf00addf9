import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.research.evaluation.overlap import contingency, dice, intersection_over_union

MASKS = arrays(bool, (3, 4, 5))
LABELS = arrays(np.uint16, (3, 4, 5), elements=st.sampled_from([0, 1, 2, 7, 120]))


def cube(first: int, size: int = 10) -> np.ndarray:
    mask = np.zeros((20, 20, 20), bool)
    mask[first : first + size, 5:15, 5:15] = True
    return mask


def test_cubes_of_10_shifted_by_2_have_a_dice_of_8_tenths_and_an_iou_of_2_thirds():
    assert dice(cube(3), cube(5)) == pytest.approx(0.8)
    assert intersection_over_union(cube(3), cube(5)) == pytest.approx(2 / 3)


def test_a_cube_inside_a_cube_twice_as_long_has_a_dice_of_2_thirds():
    assert dice(cube(3, 5), cube(3, 10)) == pytest.approx(2 / 3)


def test_a_structure_absent_in_one_map_scores_0_and_absent_in_both_scores_nothing():
    nothing = np.zeros((20, 20, 20), bool)
    assert dice(cube(3), nothing) == dice(nothing, cube(3)) == 0.0
    assert intersection_over_union(nothing, cube(3)) == 0.0
    assert np.isnan(dice(nothing, nothing))
    assert np.isnan(intersection_over_union(nothing, nothing))


@settings(deadline=None, max_examples=50)
@given(MASKS, MASKS)
def test_dice_follows_from_iou_and_is_symmetric(a: np.ndarray, b: np.ndarray):
    overlap = intersection_over_union(a, b)
    assert dice(a, b) == pytest.approx(2 * overlap / (1 + overlap), nan_ok=True)
    assert dice(a, b) == pytest.approx(dice(b, a), nan_ok=True)


@settings(deadline=None, max_examples=50)
@given(LABELS, LABELS)
def test_the_table_counts_what_each_pair_of_masks_shares(a: np.ndarray, b: np.ndarray):
    table = contingency(a, b)
    assert table.reference.tolist() == [n for n in np.unique(a) if n]
    assert table.prediction.tolist() == [n for n in np.unique(b) if n]
    for r, label in enumerate(table.reference):
        assert table.reference_sizes[r] == (a == label).sum()
        for p, other in enumerate(table.prediction):
            assert table.shared[r, p] == ((a == label) & (b == other)).sum()
            expected = intersection_over_union(a == label, b == other)
            assert table.iou[r, p] == pytest.approx(expected)


def test_empty_maps_give_an_empty_table():
    table = contingency(np.zeros((2, 2), int), np.zeros((2, 2), int))
    assert table.iou.shape == (0, 0)

"""Couples of predictions, votes, and what is left of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.imaging.volume import SparseMask
from operators.spine.instance_merging import (
    Couple,
    couple_predictions,
    paint_couples,
    tidy_instances,
    usable_predictions,
)

SHAPE = (4, 40, 10)


def rows(first: int, last: int):
    """A full-width slab of rows first..last-1."""
    box = (slice(0, 4), slice(first, last), slice(0, 10))
    return SparseMask(box, np.ones((4, last - first, 10), np.bool_))


def test_boxes_shrink_to_the_mask_and_empty_predictions_vanish():
    mask = np.zeros((4, 10, 10), np.bool_)
    mask[1:3, 2:5, 6:9] = True
    box = (slice(0, 4), slice(20, 30), slice(0, 10))
    empty = SparseMask(box, np.zeros_like(mask))
    usable = usable_predictions([(None, SparseMask(box, mask), empty)])
    assert list(usable) == [(0, 1)]
    assert usable[0, 1].box == (slice(1, 3), slice(22, 25), slice(6, 9))
    assert usable[0, 1].mask_zyx.all()


def test_three_equal_predictions_are_one_couple_of_agreement_1():
    predictions = {(0, 0): rows(0, 10), (1, 1): rows(0, 10), (2, 2): rows(0, 10)}
    assert couple_predictions(predictions) == [Couple(((0, 0), (1, 1), (2, 2)), 1.0)]


def test_dice_of_overlapping_slabs_is_their_agreement():
    couples = couple_predictions({(0, 1): rows(0, 10), (1, 2): rows(5, 15)})
    assert couples == [Couple(((0, 1), (1, 2)), pytest.approx(0.5))]


@pytest.mark.parametrize(("step", "members"), [(2, 2), (3, 1)])
def test_partners_are_at_most_2_centres_away(step: int, members: int):
    couples = couple_predictions({(0, 1): rows(0, 10), (step, 1): rows(0, 10)})
    assert {len(couple.members) for couple in couples} == {members}


def test_predictions_of_one_cutout_are_never_partners():
    couples = couple_predictions({(0, 0): rows(0, 10), (0, 1): rows(0, 10)})
    assert [len(couple.members) for couple in couples] == [1, 1]


def test_a_dice_of_0_3_is_not_enough():
    couples = couple_predictions({(0, 1): rows(0, 10), (1, 1): rows(7, 17)})
    assert [couple.agreement for couple in couples] == [0.0, 0.0]


def test_of_two_partners_that_disagree_the_better_one_stays():
    predictions = {(0, 1): rows(0, 10), (1, 1): rows(4, 16), (2, 1): rows(11, 19)}
    couples = couple_predictions(predictions)
    assert ((0, 1), (1, 1), (2, 1)) not in {couple.members for couple in couples}


def test_bigger_and_better_couples_come_first():
    predictions = {
        (0, 1): rows(0, 10),
        (1, 1): rows(0, 10),
        (2, 1): rows(0, 10),
        (0, 2): rows(20, 30),
        (1, 2): rows(21, 31),
        (2, 0): rows(35, 40),
    }
    assert [len(couple.members) for couple in couple_predictions(predictions)] == [3, 2, 1]


def test_a_triple_takes_the_voxels_of_the_majority():
    predictions = {(0, 2): rows(0, 10), (1, 1): rows(0, 12), (2, 0): rows(2, 14)}
    couples = couple_predictions(predictions)
    painted, warnings = paint_couples(couples, predictions, SHAPE)
    assert np.array_equal(np.flatnonzero(painted[0, :, 0]), np.arange(12))
    assert warnings == ()


@pytest.mark.parametrize(("agreement", "votes"), [(0.44, 1), (0.45, 2), (1.0, 2)])
def test_weak_triples_are_painted_whole(agreement: float, votes: int):
    assert Couple(((0, 1), (1, 1), (2, 1)), agreement).votes_needed == votes


def test_pairs_need_one_vote():
    assert Couple(((0, 1), (1, 1)), 1.0).votes_needed == 1


@pytest.mark.parametrize(("gap", "count"), [(6, 1), (4, 2), (3, 1)])
def test_a_couple_with_more_than_60_percent_taken_is_skipped(gap: int, count: int):
    first = Couple(((0, 1), (1, 1)), 1.0)
    second = Couple(((2, 1),), 0.0)
    predictions = {(0, 1): rows(0, 10), (1, 1): rows(0, 10), (2, 1): rows(10 - gap, 20 - gap)}
    if gap == 3:
        predictions[2, 1] = rows(0, 10)
    painted, _ = paint_couples([first, second], predictions, SHAPE)
    # 6 of 10 rows taken is exactly the limit: 0.6 is allowed.
    assert painted.max() == (2 if gap == 6 else count)


def test_a_triple_without_any_majority_is_dropped_and_the_others_stay():
    predictions = {
        (0, 1): rows(0, 5),
        (1, 1): rows(10, 15),
        (2, 1): rows(20, 25),
        (3, 1): rows(30, 35),
    }
    couples = [Couple(((0, 1), (1, 1), (2, 1)), 0.9), Couple(((3, 1),), 0.0)]
    painted, warnings = paint_couples(couples, predictions, SHAPE)
    assert warnings == ("couple_without_voxels: 1",)
    assert np.array_equal(np.flatnonzero(painted[0, :, 0]), np.arange(30, 35))


def test_pieces_below_the_threshold_go_and_numbers_close_up():
    instances = np.zeros(SHAPE, np.uint16)
    instances[:, 0:10] = 1
    instances[:, 12:13, 0:4] = 1
    instances[0, 15, 0:3] = 2
    instances[:, 20:30] = 5
    tidy = tidy_instances(instances, 20)
    assert (tidy == 1).sum() == 400
    assert (tidy == 2).sum() == 400
    assert tidy.max() == 2


def test_a_hole_in_an_instance_is_filled_but_not_over_another():
    instances = np.zeros((9, 9, 9), np.uint16)
    instances[1:8, 1:8, 1:8] = 1
    instances[3:6, 3:6, 3:6] = 0
    instances[4, 4, 4] = 2
    tidy = tidy_instances(instances, 1)
    assert (tidy == 1).sum() == 7**3 - 1
    assert tidy[4, 4, 4] == 2


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(3, 9)), min_size=1, max_size=6))
def test_painting_never_invents_a_voxel_that_no_prediction_has(slabs: list[tuple[int, int]]):
    predictions = {(n, 1): rows(first, first + size) for n, (first, size) in enumerate(slabs)}
    painted, _ = paint_couples(couple_predictions(predictions), predictions, SHAPE)
    covered = np.zeros(SHAPE, np.bool_)
    for prediction in predictions.values():
        covered[prediction.box] |= prediction.mask_zyx
    assert not (painted[~covered]).any()
    assert set(np.unique(painted)) == set(range(int(painted.max()) + 1)) | {0}

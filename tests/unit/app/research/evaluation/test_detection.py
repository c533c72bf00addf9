import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.research.evaluation.detection import Match, match_instances, recognition
from app.research.evaluation.overlap import intersection_over_union
from tests.builders.monai_metrics import panoptic_quality

LABELS = arrays(np.uint16, (2, 4, 6), elements=st.integers(0, 4))


def row(*runs: tuple[int, int]) -> np.ndarray:
    """Labels in a row: (label, length) one after the other."""
    return np.concatenate([np.full(length, label, np.uint16) for label, length in runs])


def test_other_numbers_for_the_same_instances_change_nothing():
    found = match_instances(row((1, 5), (2, 5)), row((9, 5), (4, 5)))
    assert found.matches == (Match(1, 9, 1.0), Match(2, 4, 1.0))
    assert found.missed == found.extra == ()


@pytest.mark.parametrize(("shared", "matches"), [(50, 1), (49, 0)])
def test_an_overlap_of_exactly_one_half_is_a_match_and_49_percent_is_none(
    shared: int, matches: int
):
    reference, prediction = row((1, 100)), row((1, shared), (0, 100 - shared))
    found = match_instances(reference, prediction)
    assert len(found.matches) == matches
    assert found.missed == (() if matches else (1,))
    assert found.extra == (() if matches else (1,))


def test_an_instance_cut_into_halves_is_one_match_and_one_extra():
    found = match_instances(row((1, 10)), row((5, 5), (6, 5)))
    assert len(found.matches) == 1
    assert len(found.extra) == 1
    assert found.missed == ()


def test_two_merged_instances_are_two_misses_and_one_extra():
    found = match_instances(row((1, 10), (2, 11)), row((7, 21)))
    # The merged one covers 11 of 21 voxels of the second: an IoU of 0.52 is still a match.
    assert [m.reference for m in found.matches] == [2]
    assert found.missed == (1,)
    even = match_instances(row((1, 10), (2, 10), (3, 10)), row((7, 30)))
    assert (even.matches, even.missed, even.extra) == ((), (1, 2, 3), (7,))


def test_more_matches_win_over_a_larger_single_overlap():
    # IoU: 1 with 1 14/24, 1 with 2 6/20, 2 with 1 4/20: the two small ones sum up to less.
    reference = row((1, 20), (2, 6))
    prediction = row((2, 6), (1, 18), (0, 2))
    found = match_instances(reference, prediction, least_iou=0.15)
    assert [(m.reference, m.prediction) for m in found.matches] == [(1, 2), (2, 1)]


def test_quality_of_3_matches_1_extra_and_2_misses():
    found = recognition([0.9, 0.8, 0.7], extra=1, missed=2)
    assert found.rq == pytest.approx(3 / 4.5)
    assert found.sq == pytest.approx(0.8)
    assert found.pq == pytest.approx(0.8 * 3 / 4.5)


def test_no_instance_at_all_scores_nothing_and_no_match_scores_0():
    empty = recognition([], extra=0, missed=0)
    assert np.isnan([empty.rq, empty.sq, empty.pq]).all()
    failed = recognition([], extra=2, missed=1)
    assert failed.rq == failed.pq == 0.0
    assert np.isnan(failed.sq)


@settings(deadline=None, max_examples=50)
@given(LABELS, LABELS)
def test_every_instance_is_counted_exactly_once(reference: np.ndarray, prediction: np.ndarray):
    found = match_instances(reference, prediction)
    assert sorted([m.reference for m in found.matches] + list(found.missed)) == [
        n for n in np.unique(reference) if n
    ]
    assert sorted([m.prediction for m in found.matches] + list(found.extra)) == [
        n for n in np.unique(prediction) if n
    ]
    for match in found.matches:
        masks = reference == match.reference, prediction == match.prediction
        assert match.iou == pytest.approx(intersection_over_union(*masks))
        assert match.iou >= 0.5


@settings(deadline=None, max_examples=50)
@given(LABELS, LABELS)
def test_no_two_instances_with_half_overlap_stay_apart(
    reference: np.ndarray, prediction: np.ndarray
):
    found = match_instances(reference, prediction)
    for missed in found.missed:
        for extra in found.extra:
            assert intersection_over_union(reference == missed, prediction == extra) < 0.5


def test_monai_gives_the_same_qualities_where_no_overlap_is_exactly_one_half():
    rng = np.random.default_rng(3)
    reference = np.kron(rng.permutation(12).reshape(3, 4) + 1, np.ones((8, 8), int))
    prediction = np.roll(reference, 1, axis=1)  # IoU 7/9 each
    prediction[prediction == 5] = 0  # one missed
    prediction[16:19, 20:30] = 77  # one extra, which takes a bit of two others
    found = match_instances(reference, prediction)
    ours = recognition(
        [match.iou for match in found.matches], extra=len(found.extra), missed=len(found.missed)
    )
    theirs = [panoptic_quality(prediction, reference, name) for name in ("rq", "sq", "pq")]
    assert [ours.rq, ours.sq, ours.pq] == pytest.approx(theirs, abs=1e-5)
    assert 0.5 < ours.rq < 1

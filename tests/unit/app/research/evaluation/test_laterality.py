import numpy as np
import pytest

from app.research.evaluation.laterality import side_agreement

LEFT_PARTS, RIGHT_PARTS = np.array([43, 45, 47]), np.array([44, 46, 48])


def test_the_same_sides_agree_fully_and_exchanged_sides_not_at_all():
    both = np.concatenate([LEFT_PARTS, RIGHT_PARTS])
    exchanged = np.concatenate([RIGHT_PARTS, LEFT_PARTS])
    assert side_agreement(both, both) == 1.0
    assert side_agreement(both, exchanged) == 0.0


def test_another_part_of_the_same_side_is_on_the_right_side():
    assert side_agreement(LEFT_PARTS, np.roll(LEFT_PARTS, 1)) == 1.0


def test_99_of_100_voxels_on_the_right_side_are_99_percent():
    reference = np.full(100, 45)
    prediction = np.where(np.arange(100) < 99, 45, 46)
    assert side_agreement(reference, prediction) == pytest.approx(0.99)


def test_voxels_that_only_one_map_calls_lateral_do_not_count():
    assert side_agreement(np.array([43, 41, 44]), np.array([43, 44, 49])) == 1.0
    assert np.isnan(side_agreement(np.array([43, 49]), np.array([41, 44])))

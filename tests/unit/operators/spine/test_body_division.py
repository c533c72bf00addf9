"""Two bodies in one blob."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import CorpusNotSeparableError
from operators.spine.body_division import lower_body_of

BODY = 20 * 16 * 20


def dumbbell(waist: int):
    """Two 20 x 16 x 20 bodies, 6 rows apart, joined by a column of waist x waist voxels."""
    blob = np.zeros((30, 60, 30), np.bool_)
    blob[5:25, 10:26, 5:25] = True
    blob[5:25, 32:48, 5:25] = True
    low = 15 - waist // 2
    blob[low : low + waist, 26:32, low : low + waist] = True
    return blob


@pytest.mark.parametrize("waist", [2, 4, 8, 12])
def test_the_plane_lies_within_1_voxel_of_half_way_between_two_equal_bodies(waist: int):
    lower = lower_body_of(dumbbell(waist))
    assert BODY + 2 * waist**2 <= lower.sum() <= BODY + 3 * waist**2
    assert not lower[:, :29].any()


def test_the_lower_part_is_inside_the_blob():
    blob = dumbbell(6)
    assert not (lower_body_of(blob) & ~blob).any()


def test_the_input_is_not_changed():
    blob = dumbbell(6)
    lower_body_of(blob)
    assert np.array_equal(blob, dumbbell(6))


def test_a_body_that_leans_is_cut_across_its_own_axis():
    blob = np.zeros((30, 70, 60), np.bool_)
    blob[5:25, 10:26, 5:25] = True
    blob[5:25, 34:50, 20:40] = True
    blob[11:19, 24:36, 20:26] = True
    lower = lower_body_of(blob)
    assert lower[5:25, 34:50, 20:40].all()
    assert not lower[5:25, 10:26, 5:25].any()


def test_a_block_without_waist_is_an_error_not_an_arbitrary_cut():
    block = np.zeros((30, 60, 30), np.bool_)
    block[6:24, 10:50, 6:24] = True
    with pytest.raises(CorpusNotSeparableError) as caught:
        lower_body_of(block)
    assert caught.value.reasons == ("no_waist",)


def test_a_block_of_40_voxels_stays_one_part_after_11_erosions():
    block = np.ones((40, 40, 40), np.bool_)
    with pytest.raises(CorpusNotSeparableError) as caught:
        lower_body_of(block)
    assert caught.value.reasons == ("still_one_part",)


def test_an_empty_mask_is_an_error():
    with pytest.raises(CorpusNotSeparableError):
        lower_body_of(np.zeros((3, 3, 3), np.bool_))

"""Physical thresholds become voxel counts."""

from __future__ import annotations

import pytest

from operators.spine.thresholds import (
    REFERENCE_SPACING_ZYX_MM,
    REFERENCE_VOXEL_MM3,
    voxels_of_area,
    voxels_of_volume,
    whole_voxels_of_length,
)


def test_the_reference_voxel_holds_0_928_cubic_millimetres():
    assert pytest.approx(0.928125) == REFERENCE_VOXEL_MM3


@pytest.mark.parametrize("count", [1, 30, 40, 250])
def test_on_the_reference_grid_n_reference_voxels_are_n_voxels(count: int):
    assert voxels_of_volume(count * REFERENCE_VOXEL_MM3, REFERENCE_SPACING_ZYX_MM) == count


def test_28_cubic_millimetres_are_8_voxels_of_1_5_mm():
    assert voxels_of_volume(30 * REFERENCE_VOXEL_MM3, (1.5, 1.5, 1.5)) == 8


def test_a_threshold_below_half_a_voxel_is_still_one_voxel():
    assert voxels_of_volume(1.0, (3.3, 2.25, 2.25)) == 1
    assert voxels_of_area(0.01, (1.0, 1.0, 1.0)) == 1


def test_20_reference_faces_are_8_faces_of_1_5_mm():
    assert voxels_of_area(20 * REFERENCE_VOXEL_MM3 ** (2 / 3), (1.5, 1.5, 1.5)) == 8


def test_margins_count_whole_voxels_of_the_finest_axis():
    assert whole_voxels_of_length(3.0, (1.65, 0.75, 0.75)) == 4
    assert whole_voxels_of_length(3.75, (3.3, 2.25, 2.25)) == 1

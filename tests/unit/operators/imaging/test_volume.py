import numpy as np
import pytest

from operators.errors import GeometryError
from operators.imaging.volume import LabelMap, Volume, array_of, spacing_of, voxel_volume_mm3


def test_spacing_and_volume_of_an_oblique_grid_of_2_by_3_by_4_mm():
    c, s = np.cos(0.3), np.sin(0.3)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) * [2, 3, 4]
    assert spacing_of(affine) == pytest.approx((2, 3, 4))
    assert voxel_volume_mm3(affine) == pytest.approx(24)


def test_axes_that_do_not_span_space_have_no_volume():
    with pytest.raises(GeometryError) as caught:
        voxel_volume_mm3(np.diag([1.0, 0, 1, 1]))
    assert caught.value.reasons == ("singular_affine",)


def test_other_values_need_the_same_shape():
    volume = Volume(np.zeros((2, 3, 4)), np.eye(4))
    labels = LabelMap(np.zeros((2, 3, 4), np.uint8), np.eye(4))
    assert volume.with_voxels(np.ones((2, 3, 4))).voxels_zyx.sum() == 24
    assert labels.with_labels(np.ones((2, 3, 4), np.uint8)).labels_zyx.sum() == 24
    with pytest.raises(GeometryError):
        volume.with_voxels(np.zeros((2, 3, 5)))
    with pytest.raises(GeometryError):
        labels.with_labels(np.zeros((2, 3, 5), np.uint8))


def test_the_grid_is_that_of_the_array():
    volume = Volume(np.zeros((2, 3, 4)), np.diag([3.3, 0.5, 0.5, 1]))
    assert volume.grid.shape_zyx == (2, 3, 4)
    assert volume.grid.spacing_zyx_mm == volume.spacing_zyx_mm == (3.3, 0.5, 0.5)
    assert array_of(volume) is volume.voxels_zyx

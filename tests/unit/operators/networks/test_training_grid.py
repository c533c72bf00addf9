"""Images go to the training grid only where nnU-Net takes them there, and as nnU-Net does it."""

from __future__ import annotations

import numpy as np
import pytest
from nnunetv2.preprocessing.resampling.default_resampling import (
    compute_new_shape,
    resample_data_or_seg_to_shape,
)
from scipy.ndimage import gaussian_filter

from operators.networks.training_grid import in_axis_order, training_grid

CASES = [
    ((20, 30, 26), (3.0, 1.0, 1.0), (3.0, 1.5, 1.5)),
    ((20, 40, 33), (1.65, 0.75, 0.75), (3.3, 1.25, 1.25)),
    ((9, 31, 40), (4.4, 0.6, 0.6), (3.3, 1.0, 1.0)),  # very anisotropic: slices are picked
    ((12, 24, 25), (1.0, 1.0, 1.0), (3.9, 1.0, 1.0)),  # only the training grid is
]


def image(shape: tuple[int, int, int]) -> np.ndarray:
    voxels = gaussian_filter(np.random.default_rng(5).standard_normal(shape), 1.2)
    return voxels.astype(np.float32)


def test_the_same_rounded_shape_keeps_the_very_object() -> None:
    voxels = image((10, 20, 30))
    for trained in ((3.0, 1.5, 1.5), (3.1, 1.51, 1.51)):
        grid = training_grid(voxels.shape, (3.0, 1.5, 1.5), trained)
        assert grid.image is None
        assert grid.of(voxels) is voxels


def test_half_the_spacing_doubles_the_slices() -> None:
    assert training_grid((10, 20, 30), (3.0, 1.5, 1.5), (1.5, 1.5, 1.5)).shape == (20, 20, 30)


@pytest.mark.parametrize("forced", [None, False, True])
@pytest.mark.parametrize(("shape", "have", "trained"), CASES)
def test_nnunet_itself_makes_the_same_image(shape, have, trained, forced) -> None:
    voxels = image(shape)
    grid = training_grid(shape, have, trained, (forced, None))
    assert grid.shape == tuple(compute_new_shape(shape, have, trained))
    theirs = resample_data_or_seg_to_shape(
        voxels[None], grid.shape, have, trained, order=3, order_z=0, force_separate_z=forced
    )[0]
    ours = grid.of(voxels)
    assert ours.shape == theirs.shape
    # Undershoot is cut off over the image here, over single slices there.
    assert np.abs(ours - theirs).max() < 1e-2 * np.ptp(voxels)
    assert np.abs(ours - theirs).mean() < 1e-5 * np.ptp(voxels)


def test_a_spacing_in_network_order_follows_the_axes() -> None:
    assert in_axis_order((3.3, 0.7, 0.8), (1, 2, 0)) == (0.7, 0.8, 3.3)

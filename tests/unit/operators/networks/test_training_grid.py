"""Images are resampled to the training spacing only where nnU-Net would do it."""

from __future__ import annotations

import numpy as np

from operators.imaging.volume import Volume
from operators.networks.training_grid import at_training_spacing, untransposed


def image() -> Volume:
    return Volume(np.ones((10, 20, 30), np.float32), np.diag([3.0, 1.5, 1.5, 1.0]))


def test_the_same_rounded_shape_keeps_the_very_object() -> None:
    volume = image()
    assert at_training_spacing(volume, (3.0, 1.5, 1.5)) is volume
    assert at_training_spacing(volume, (3.1, 1.51, 1.51)) is volume


def test_half_the_spacing_doubles_the_slices() -> None:
    assert at_training_spacing(image(), (1.5, 1.5, 1.5)).voxels_zyx.shape == (20, 20, 30)


def test_a_spacing_in_network_order_comes_back_in_image_order() -> None:
    assert untransposed((3.3, 0.7, 0.8), (1, 2, 0)) == (0.7, 0.8, 3.3)

"""The grid a network was trained on, which may differ from the one its folder asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.imaging.resampling import interpolate_to_shape
from operators.networks.slab_decision import Finer, source_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

Spacing = tuple[float, float, float]
Sizes = tuple[int, int, int]

_VERY_ANISOTROPIC = 3.0
"""Largest over smallest spacing above which nnU-Net treats the slice axis apart."""


def in_axis_order(spacing_mm: Spacing, order: Sizes) -> Spacing:
    """Spacing along the axes of a transposed array."""
    k, j, i = (spacing_mm[axis] for axis in order)
    return k, j, i


@dataclass(frozen=True, slots=True)
class TrainingGrid:
    """The network's grid over one image.

    Attributes
    ----------
    shape : tuple of 3 int
        Size of the image on the network's grid; the outer faces coincide.
    image : Finer or None
        The image's own grid, to which the logits go back; None where both sizes are equal.
    picked_axis : int or None
        Axis along which the image's nearest slices are taken on the way here.
    """

    shape: Sizes
    image: Finer | None
    picked_axis: int | None = None

    def of(self, voxels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring an image onto the network's grid, with cubic splines.

        Parameters
        ----------
        voxels : (Z, Y, X) ndarray of float32
            The image.

        Returns
        -------
        ndarray of float32
            The very same object where nothing changes, else of ``shape`` and without over- or
            undershoot, as nnU-Net does it.
        """
        if self.image is None:
            return voxels
        apart, shape = self.picked_axis, list(self.shape)
        if apart is not None:
            at = source_positions(shape[apart], voxels.shape[apart], nearest=True)
            voxels = np.take(voxels, at.astype(np.intp), axis=apart)
        k, j, i = shape
        made = interpolate_to_shape(voxels, (k, j, i))
        return np.clip(made, voxels.min(), voxels.max(), out=made)


def training_grid(
    shape: Sizes,
    spacing_mm: Spacing,
    trained_mm: Spacing,
    separate_slices: tuple[bool | None, bool | None] = (None, None),
) -> TrainingGrid:
    """Find the network's grid for an image; all in one axis order.

    Parameters
    ----------
    shape : tuple of 3 int
        Size of the image.
    spacing_mm, trained_mm : tuple of 3 float
        Spacing of the image and of the network's training.
    separate_slices : pair of (bool or None)
        Whether slices are picked instead of interpolated, of images and of logits
        (``force_separate_z`` in the plans); None = where the voxels of either grid are more than
        three times as long as wide.

    Returns
    -------
    TrainingGrid
        Differs from the image's grid only where the rounded size does (nnU-Net).
    """
    k, j, i = (
        max(1, round(size * have / want))
        for size, have, want in zip(shape, spacing_mm, trained_mm, strict=True)
    )
    if (k, j, i) == tuple(shape):
        return TrainingGrid(shape, None)
    of_images, of_logits = separate_slices
    back = Finer(shape, _picked_axis(trained_mm, spacing_mm, of_logits))
    return TrainingGrid((k, j, i), back, _picked_axis(spacing_mm, trained_mm, of_images))


def _picked_axis(source: Spacing, wanted: Spacing, forced: bool | None) -> int | None:  # noqa: FBT001 - of the plans
    """Axis of the slices that are picked on the way from one grid to another, as nnU-Net does."""
    if forced is not None:
        return _longest_axis(source) if forced else None
    for spacing in (source, wanted):
        if max(spacing) / min(spacing) > _VERY_ANISOTROPIC:
            return _longest_axis(spacing)
    return None


def _longest_axis(spacing: Spacing) -> int | None:
    """Axis of the largest spacing; None if several have it."""
    largest = max(spacing)
    return None if spacing.count(largest) > 1 else spacing.index(largest)

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
    """

    shape: Sizes
    image: Finer | None

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
        apart, shape = self.image.nearest_axis, list(self.shape)
        if apart is not None:
            at = source_positions(shape[apart], voxels.shape[apart], nearest=True)
            voxels = np.take(voxels, at.astype(np.intp), axis=apart)
        k, j, i = shape
        made = interpolate_to_shape(voxels, (k, j, i))
        return np.clip(made, voxels.min(), voxels.max(), out=made)


def training_grid(shape: Sizes, spacing_mm: Spacing, trained_mm: Spacing) -> TrainingGrid:
    """Find the network's grid for an image; all in one axis order.

    Parameters
    ----------
    shape : tuple of 3 int
        Size of the image.
    spacing_mm, trained_mm : tuple of 3 float
        Spacing of the image and of the network's training.

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
    axes = [_slice_axis(spacing) for spacing in (spacing_mm, trained_mm)]
    return TrainingGrid((k, j, i), Finer(shape, next((a for a in axes if a is not None), None)))


def _slice_axis(spacing: Spacing) -> int | None:
    """Axis of the one spacing that is far larger than the smallest; None if there is none."""
    largest = max(spacing)
    if largest / min(spacing) <= _VERY_ANISOTROPIC or spacing.count(largest) > 1:
        return None
    return spacing.index(largest)

"""Smooth random fields for textures and elastic deformation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _weights(size: int, knots: int) -> NDArray[np.float32]:
    positions = np.linspace(0.0, knots - 1.0, size) if size > 1 else np.zeros(1)
    low = np.clip(positions.astype(int), 0, knots - 2)
    fraction = positions - low
    matrix = np.zeros((size, knots), dtype=np.float32)
    rows = np.arange(size)
    matrix[rows, low] = 1.0 - fraction
    matrix[rows, low + 1] += fraction
    return matrix


def smooth_noise(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    knots_voxels: tuple[float, float, float],
) -> NDArray[np.float32]:
    """Trilinear noise of about unit variance.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    shape : tuple of 3 ints
        Size of the result.
    knots_voxels : tuple of 3 floats
        Distance between the random knots along each axis, in voxels.

    Returns
    -------
    (Z, Y, X) float32 ndarray
        Mean about 0, standard deviation about 1.
    """
    knots = [
        max(2, int(np.ceil(n / max(k, 1.0))) + 1) for n, k in zip(shape, knots_voxels, strict=True)
    ]
    field = rng.standard_normal(knots, dtype=np.float32)
    for axis, (size, count) in enumerate(zip(shape, knots, strict=True)):
        field = np.moveaxis(np.tensordot(_weights(size, count), field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field) * np.float32(1.6)

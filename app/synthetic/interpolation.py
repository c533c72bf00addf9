"""Linear interpolation and Gaussian smoothing of tensors, computed where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor


def on_device(values: ArrayLike, device: torch.device | str) -> Tensor:
    """Numbers as a float32 tensor on a device."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).to(device)


def interpolate(x: Tensor, at: ArrayLike, values: ArrayLike) -> Tensor:
    """Piecewise linear function through (at, values), constant beyond its ends.

    Parameters
    ----------
    x : float32 tensor
        Where to evaluate.
    at : sequence of K floats
        Growing; at least 2.
    values : sequence of K floats
        The function there.

    Returns
    -------
    float32 tensor
        Of the shape of ``x``.
    """
    knots, heights = on_device(at, x.device), on_device(values, x.device)
    upper = torch.searchsorted(knots, x.contiguous()).clamp_(1, len(knots) - 1)
    start, end = knots[upper - 1], knots[upper]
    share = ((x - start) / (end - start)).clamp_(0.0, 1.0)
    return torch.lerp(heights[upper - 1], heights[upper], share)


def resized(field: Tensor, axis: int, size: int) -> Tensor:
    """Stretch an axis linearly to ``size`` samples; the first and the last sample stay."""
    count = field.shape[axis]
    position = np.linspace(0.0, count - 1.0, size) if size > 1 else np.zeros(1)
    low = np.clip(position.astype(np.int64), 0, count - 2)
    shape = [1] * field.ndim
    shape[axis] = size
    share = on_device(position - low, field.device).view(shape)
    first = torch.from_numpy(low).to(field.device)
    start, end = field.index_select(axis, first), field.index_select(axis, first + 1)
    return start.lerp_(end, share)


def smoothed(field: Tensor, sigma: float, axis: int) -> Tensor:
    """Gaussian blur along an axis, cut off at 4 sigma, edges mirrored.

    Parameters
    ----------
    field : float32 tensor
        What to blur.
    sigma : float
        Standard deviation, voxels.
    axis : int
        Along which axis.

    Returns
    -------
    float32 tensor
        Of the same shape; the field itself if sigma is below an eighth of a voxel.
    """
    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return field
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    count = field.shape[axis]
    mirrored = np.pad(np.arange(count), radius, mode="symmetric")
    padded = field.index_select(axis, torch.from_numpy(mirrored).to(field.device))
    result = padded.narrow(axis, 0, count) * float(weights[0])
    for shift, weight in enumerate(weights[1:].tolist(), start=1):
        result.add_(padded.narrow(axis, shift, count), alpha=weight)
    return result

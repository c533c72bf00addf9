"""Linear interpolation and filters along an axis, computed where the tensor lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
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


def gaussian(sigma: float, truncate: float = 4.0) -> NDArray[np.float64]:
    """Weights of a Gaussian of unit sum, cut off at ``truncate`` standard deviations."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:
        return np.ones(1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    scaled: NDArray[np.float64] = weights / weights.sum()
    return scaled


def filtered(
    field: Tensor,
    axis: int,
    weights: NDArray[np.float64],
    *,
    step: int = 1,
    edges: Literal["edge", "symmetric"] = "symmetric",
) -> Tensor:
    """Weighted mean over a window that moves along an axis.

    Summed in one fixed order: a matrix product's order depends on the library and its threads.

    Parameters
    ----------
    field : float32 tensor
        What to filter.
    axis : int
        Along which axis.
    weights : (K,) ndarray
        Of the window; K - step is even.
    step : int
        Distance between windows, samples; the axis has a multiple of it.
    edges : {"edge", "symmetric"}
        How the field goes on beyond its ends, as `numpy.pad` names it.

    Returns
    -------
    float32 tensor
        Every ``step``-th sample along the axis.
    """
    count = field.shape[axis]
    around = np.pad(np.arange(count), (len(weights) - step) // 2, mode=edges)
    padded = field.index_select(axis, torch.from_numpy(around).to(field.device))
    window = [slice(None)] * field.ndim
    result = None
    for shift, weight in enumerate(weights.tolist()):
        window[axis] = slice(shift, shift + count - step + 1, step)
        part = padded[tuple(window)]
        result = part * weight if result is None else result.add_(part, alpha=weight)
    return padded if result is None else result

"""Run a network tile by tile over a volume and keep only the winning class of every voxel.

Tiles, weights and padding are nnU-Net's. What differs is the memory: logits are summed in float32
for one patch length along the volume's longest axis only, and every slice is turned into classes as
soon as no later tile can touch it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from operators.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

Sizes = tuple[int, int, int]

_WEIGHT_PEAK = 10.0
"""Largest tile weight: far from overflow, and the smallest stays a normal float32."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a volume is cut into tiles.

    Attributes
    ----------
    patch_size : tuple of 3 int
        Tile in voxels.
    step_size : float
        Largest step between tiles as a fraction of the patch.
    """

    patch_size: Sizes
    step_size: float

    def starts(self, shape: Sizes) -> tuple[list[int], list[int], list[int]]:
        """First voxel of the tiles per axis: evenly spaced, rounded, both ends covered.

        Parameters
        ----------
        shape : tuple of 3 int
            At least the patch on every axis.
        """
        first, second, third = (
            _axis_starts(size, patch, self.step_size)
            for size, patch in zip(shape, self.patch_size, strict=True)
        )
        return first, second, third


def _axis_starts(size: int, patch: int, step_size: float) -> list[int]:
    room = size - patch
    steps = int(np.ceil(room / (patch * step_size))) + 1
    spacing = room / (steps - 1) if steps > 1 else 0.0
    return [int(np.rint(spacing * n)) for n in range(steps)]


def tile_weights(patch_size: Sizes) -> NDArray[np.float32]:
    """Gaussian weights of a tile: sigma an eighth of the patch, peak 10.

    Parameters
    ----------
    patch_size : tuple of 3 int
        Tile in voxels.

    Returns
    -------
    (Z, Y, X) ndarray of float32
        All positive; values that would vanish take the smallest other value.
    """
    sides = []
    for size in patch_size:
        distance = np.arange(size) - size // 2
        sides.append(np.exp(-0.5 * (distance / (size / 8)) ** 2))
    k, j, i = sides
    weights = (_WEIGHT_PEAK * k[:, None, None] * j[:, None] * i).astype(np.float32)
    weights[weights == 0] = weights[weights > 0].min()
    return weights


def predict_classes(
    voxels: Tensor,
    tiling: Tiling,
    network: Callable[[Tensor], Tensor],
    *,
    heads: int,
    decide: Callable[[Tensor], Tensor],
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.uint8]:
    """Sum weighted logits over all tiles and decide every voxel's class.

    Parameters
    ----------
    voxels : (C, Z, Y, X) Tensor of float32
        Normalised image; smaller than the patch is padded with 0.
    tiling : Tiling
        Patch and step.
    network : callable
        (1, C, patch) -> (1, heads, patch) logits, any float type.
    heads : int
        Number of output channels.
    decide : callable
        (heads, N) weighted sums of logits, up to a positive factor per voxel -> (N,) uint8.
    progress : callable, optional
        Called with (done, total) tiles after each tile; may raise to cancel.

    Returns
    -------
    (Z, Y, X) ndarray of uint8
        Classes.

    Raises
    ------
    SegmentationError
        ``non_finite_logits``: the network's output is not finite.
    """
    padded, inner = _padded(voxels, tiling.patch_size)
    shape = _sizes(padded.shape[1:])
    patch = tiling.patch_size
    axis = max(range(3), key=lambda a: shape[a] / patch[a])
    starts = tiling.starts(shape)
    total = len(starts[0]) * len(starts[1]) * len(starts[2])
    weights = torch.from_numpy(tile_weights(patch)).to(padded.device)
    window = list(shape)
    window[axis] = patch[axis]
    sums = torch.zeros((heads, *window), dtype=torch.float32, device=padded.device)
    classes = np.zeros(shape, np.uint8)
    done = 0
    along = [*starts[axis], shape[axis]]
    for row, start in enumerate(starts[axis]):
        for corner in _corners(starts, axis, start):
            tile = padded[(slice(None), *(_side(c, p) for c, p in zip(corner, patch, strict=True)))]
            logits = network(tile[None])[0].float()
            logits = logits * weights
            place = [0 if a == axis else c for a, c in enumerate(corner)]
            sums[(slice(None), *(_side(c, p) for c, p in zip(place, patch, strict=True)))] += logits
            done += 1
            if progress is not None:
                progress(done, total)
        ready = along[row + 1] - start
        finished = sums.narrow(axis + 1, 0, ready)
        if not bool(torch.isfinite(finished).all()):
            raise SegmentationError(
                "the network's output is not finite", reasons=("non_finite_logits",)
            )
        decided = decide(finished.reshape(heads, -1)).reshape(finished.shape[1:])
        classes[tuple(_side(start, ready) if a == axis else slice(None) for a in range(3))] = (
            decided.cpu().numpy()
        )
        _shift(sums, axis + 1, ready)
    return classes[inner]


def _side(start: int, length: int) -> slice:
    return slice(start, start + length)


def _sizes(shape: torch.Size) -> Sizes:
    k, j, i = shape
    return k, j, i


def _corners(
    starts: tuple[list[int], list[int], list[int]], axis: int, start: int
) -> Iterator[Sizes]:
    """First voxels of the tiles that begin at ``start`` on the rolling axis."""
    rows = [[start] if a == axis else starts[a] for a in range(3)]
    return ((k, j, i) for k in rows[0] for j in rows[1] for i in rows[2])


def _shift(sums: Tensor, dim: int, count: int) -> None:
    """Move the window along: drop the first slices, append empty ones."""
    length = sums.shape[dim]
    kept = sums.narrow(dim, count, length - count).clone()
    sums.narrow(dim, 0, length - count).copy_(kept)
    sums.narrow(dim, length - count, count).zero_()


def _padded(voxels: Tensor, patch: Sizes) -> tuple[Tensor, tuple[slice, slice, slice]]:
    """Centre a small volume in zeros as large as the patch; also: where it lies in there."""
    sizes = _sizes(voxels.shape[1:])
    missing = [max(0, p - size) for size, p in zip(sizes, patch, strict=True)]
    k, j, i = (_side(m // 2, size) for m, size in zip(missing, sizes, strict=True))
    if not any(missing):
        return voxels, (k, j, i)
    widths = [width for m in reversed(missing) for width in (m // 2, m - m // 2)]
    return torch.nn.functional.pad(voxels, widths), (k, j, i)

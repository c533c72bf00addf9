"""Run a network tile by tile over a volume and keep the winning class of every voxel.

Tiles, weights and padding are nnU-Net's. What differs is the memory: logits are summed in float32
for one patch length along the volume's longest axis only, and every slice is decided
(`slab_decision`) as soon as no later tile can touch it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from operators.networks.first_look import first_to_show
from operators.networks.slab_decision import MeanLogits, OnFinerGrid, SameGrid, Slabs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from operators.networks.fold_votes import Answer
    from operators.networks.slab_decision import Box, Finer, Head, Prediction

Sizes = tuple[int, int, int]
Receiver = TypeVar("Receiver", bound=Slabs)

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


def whole_tile(image: Sequence[int], patch: Sizes, divisor: Sizes, largest: int) -> Sizes:
    """Size of a tile that holds a whole image, as far as there is room for it.

    Parameters
    ----------
    image : sequence of 3 int
        Voxels of the image.
    patch : tuple of 3 int
        Tile that the network was trained on: no tile is smaller.
    divisor : tuple of 3 int
        What the sides of a tile have to be divisible by.
    largest : int
        Voxels that a tile may have. Where the image has more, the tile becomes shorter along its
        longest axis, and several of them lie there.

    Returns
    -------
    tuple of 3 int
        At least the image along every axis that was not cut.
    """
    sides = [
        max(least, -(-size // step) * step)
        for size, least, step in zip(image, patch, divisor, strict=True)
    ]
    longest = max(range(3), key=sides.__getitem__)
    while prod(sides) > largest and sides[longest] > patch[longest]:
        sides[longest] -= divisor[longest]
    k, j, i = sides
    return k, j, i


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


@dataclass(frozen=True, slots=True)
class Tour:
    """How to go through the tiles of an image.

    Attributes
    ----------
    progress : callable or None
        Called with (done, total) tiles after each tile; may raise to cancel.
    wanted : callable or None
        What the answer of at least one tile has to show (`first_look`).
    """

    progress: Callable[[int, int], None] | None = None
    wanted: Callable[[Answer], bool] | None = None


def predict(
    voxels: Tensor,
    tiling: Tiling,
    head: Head,
    progress: Callable[[int, int], None] | None = None,
    *,
    finer: Finer | None = None,
    wanted: Callable[[Answer], bool] | None = None,
) -> Prediction:
    """Sum weighted logits over all tiles and decide every voxel's class.

    Parameters
    ----------
    voxels : (C, Z, Y, X) Tensor of float32
        Normalised image; smaller than the patch is padded with 0.
    tiling : Tiling
        Patch and step.
    head : Head
        The network and what to make of its output.
    progress : callable, optional
        Called with (done, total) tiles after each tile; may raise to cancel.
    finer : Finer or None
        Grid to interpolate the logits to before they are decided; None = the image's own.
    wanted : callable, optional
        What the answer of at least one tile has to show (`first_look`).

    Returns
    -------
    Prediction
        Classes; where the head has a temperature, how certain they are; where its network counts
        votes, how far these agree.

    Raises
    ------
    SegmentationError
        ``non_finite_logits``: the network's output is not finite.
    NoSpineFoundError
        No tile shows what is wanted.
    """

    def deciding(padded: Sizes, inner: Box, axis: int) -> SameGrid | OnFinerGrid:
        if finer is None:
            return SameGrid(head, padded, inner, axis)
        return OnFinerGrid(head, inner, axis, finer)

    tour = Tour(progress, wanted)
    return _through_all_tiles(voxels, tiling, head, receiver=deciding, tour=tour).result()


def mean_logits(voxels: Tensor, tiling: Tiling, head: Head, tour: Tour) -> Tensor:
    """Average the logits of all tiles and decide nothing.

    Parameters
    ----------
    voxels, tiling, head
        As for `predict`.
    tour : Tour
        How to go through the tiles.

    Returns
    -------
    (Z, Y, X, count) Tensor of float32
        On the grid of the image; one channel more where the network counts votes: the share of
        agreeing answers.

    Raises
    ------
    SegmentationError, NoSpineFoundError
        As `predict`.
    """
    return _through_all_tiles(voxels, tiling, head, receiver=_kept, tour=tour).mean()


def _kept(_padded_shape: Sizes, inner: Box, axis: int) -> MeanLogits:
    return MeanLogits(inner, axis)


def _through_all_tiles(
    voxels: Tensor,
    tiling: Tiling,
    head: Head,
    *,
    receiver: Callable[[Sizes, Box, int], Receiver],
    tour: Tour,
) -> Receiver:
    """Ask for all tiles, and hand their sums to what ``receiver`` makes for the padded image."""
    padded, inner = _padded(voxels, tiling.patch_size)
    shape = _sizes(padded.shape[1:])
    patch = tiling.patch_size
    starts = tiling.starts(shape)
    window: _Window | _OnlyTile = _OnlyTile(shape)
    if shape != patch:
        window = _Window(shape, patch, head.count, padded.device)
    slabs = receiver(shape, inner, window.axis)
    weights = torch.from_numpy(tile_weights(patch)).to(padded.device)[..., None]
    order = sorted(product(*starts), key=lambda corner: (corner[window.axis], corner))
    tell, wanted = tour.progress or _silent, tour.wanted

    def ask(corner: Sizes) -> Answer:
        return head.network(padded[(slice(None), *_sides(corner, patch))][None])

    def shows(answer: Answer) -> bool:
        tell(0, len(order))  # a look can be cancelled, too
        return wanted is None or wanted(answer)

    seen = {} if wanted is None else first_to_show(shows, ask, starts, patch)
    for done, (corner, following) in enumerate(pairwise([*order, shape]), 1):
        answer = seen.pop(corner) if corner in seen else ask(corner)
        window.add(corner, answer, weights)
        tell(done, len(order))
        window.finish(following[window.axis] - corner[window.axis], slabs)
    return slabs


class _Window:
    """Sums of logits for one patch length along the axis that holds most tiles."""

    def __init__(self, shape: Sizes, patch: Sizes, count: int, device: torch.device) -> None:
        self.axis = max(range(3), key=lambda a: shape[a] / patch[a])
        self._patch = patch
        held = [patch[a] if a == self.axis else shape[a] for a in range(3)]
        self._sums = torch.zeros((*held, count), dtype=torch.float32, device=device)
        self._weights = torch.zeros((*held, 1), dtype=torch.float32, device=device)
        self._agreed: Tensor | None = None

    def add(self, corner: Sizes, answer: Answer, weights: Tensor) -> None:
        """Add a tile that begins at ``corner`` of the whole volume."""
        place = [0 if a == self.axis else c for a, c in enumerate(corner)]
        sides = tuple(_sides(place, self._patch))
        # Voxel by voxel, all classes side by side: the layout of channels-last networks.
        self._sums[sides] += answer.logits[0].permute(1, 2, 3, 0) * weights
        self._weights[sides] += weights
        if answer.agreement is not None:
            if self._agreed is None:
                self._agreed = torch.zeros_like(self._weights)
            self._agreed[sides] += answer.agreement[..., None] * weights

    def finish(self, count: int, slabs: Slabs) -> None:
        """Hand over the first ``count`` slices, which no later tile touches, and move on."""
        if not count:
            return
        tables = (self._sums, self._weights, *(() if self._agreed is None else (self._agreed,)))
        slabs.take(*(x.narrow(self.axis, 0, count) for x in tables))
        rest = self._sums.shape[self.axis] - count
        for held in tables:
            kept = held.narrow(self.axis, count, rest).clone()
            held.narrow(self.axis, 0, rest).copy_(kept)
            held.narrow(self.axis, rest, count).zero_()


class _OnlyTile:
    """The logits of the one tile that is the whole volume: nothing is to be summed up."""

    def __init__(self, shape: Sizes) -> None:
        self.axis = 0
        self._tables: tuple[Tensor, ...] = ()
        self._shape = shape

    def add(self, _corner: Sizes, answer: Answer, _weights: Tensor) -> None:
        """Take the tile."""
        logits, agreement = answer
        ones = torch.ones(1, device=logits.device).expand(*self._shape, 1)
        agreed = () if agreement is None else (agreement[..., None],)
        self._tables = (logits[0].permute(1, 2, 3, 0), ones, *agreed)

    def finish(self, _count: int, slabs: Slabs) -> None:
        """Hand it over: it is the last one, too."""
        slabs.take(*self._tables)


def _silent(_done: int, _total: int) -> None:
    """No progress is asked for."""


def _side(start: int, length: int) -> slice:
    return slice(start, start + length)


def _sides(corner: Sequence[int], lengths: Sizes) -> list[slice]:
    return [_side(start, length) for start, length in zip(corner, lengths, strict=True)]


def _sizes(shape: torch.Size) -> Sizes:
    k, j, i = shape
    return k, j, i


def _padded(voxels: Tensor, patch: Sizes) -> tuple[Tensor, Box]:
    """Centre a small volume in zeros as large as the patch; also: where it lies in there."""
    sizes = _sizes(voxels.shape[1:])
    missing = [max(0, p - size) for size, p in zip(sizes, patch, strict=True)]
    k, j, i = (_side(m // 2, size) for m, size in zip(missing, sizes, strict=True))
    if not any(missing):
        return voxels, (k, j, i)
    widths = [width for m in reversed(missing) for width in (m // 2, m - m // 2)]
    return torch.nn.functional.pad(voxels, widths), (k, j, i)

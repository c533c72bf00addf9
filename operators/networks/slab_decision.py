"""Turn finished slabs of logits into classes: voxel by voxel, or interpolated onto a finer grid.

A network whose training spacing differs from the spacing that its folder asks for answers on its
own grid. nnU-Net interpolates the logits, not the classes, back to the image's grid: thin
structures keep their shape where classes would come out in blocks. Here that happens slice by
slice, as soon as both neighbours of a slice are known, so that all logits are never held at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from operators.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from operators.networks.fold_votes import Answer

Sizes = tuple[int, int, int]
Box = tuple[slice, slice, slice]

ALL_AGREE = 240
"""Agreement of a voxel that all answers call the same: shares of 2 to 6 folds are whole numbers."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network says about every voxel.

    Attributes
    ----------
    classes : (Z, Y, X) ndarray of uint8
        The winner.
    certainty : (Z, Y, X) ndarray of uint8 or None
        Probability of the winner times 255; None where the head asks for none.
    agreement : (Z, Y, X) ndarray of uint8 or None
        Share of the ensemble's answers that agree (`fold_votes`) times `ALL_AGREE`; None where
        nobody counted.
    """

    classes: NDArray[np.uint8]
    certainty: NDArray[np.uint8] | None
    agreement: NDArray[np.uint8] | None = None

    def transpose(self, order: Sizes) -> Prediction:
        """Everything in another order of axes."""
        sure, agreed = self.certainty, self.agreement
        return Prediction(
            self.classes.transpose(order),
            None if sure is None else sure.transpose(order),
            None if agreed is None else agreed.transpose(order),
        )


@dataclass(frozen=True, slots=True)
class Head:
    """A network with its last decision.

    Attributes
    ----------
    network : callable
        (1, C, patch) -> Answer: (1, count, patch) logits in float32, and, always or never, the
        (patch) share of agreeing answers.
    count : int
        Number of output channels.
    decide : callable
        (..., count) sums of logits, up to a positive factor per voxel -> (...) uint8.
    temperature : float or None
        What mean logits are divided by before their softmax gives the winner's probability; None
        where probabilities are not asked for.
    """

    network: Callable[[Tensor], Answer]
    count: int
    decide: Callable[[Tensor], Tensor]
    temperature: float | None = None

    def certainty(self, mean_logits: Tensor) -> NDArray[np.uint8]:
        """Probability of the best class of (..., count) logits, times 255."""
        best = mean_logits.amax(dim=-1, keepdim=True)
        scaled = (mean_logits - best).div_(self.temperature or 1.0)
        certain: NDArray[np.uint8] = (
            scaled.exp_().sum(dim=-1).reciprocal_().mul_(255).round_().to(torch.uint8).cpu().numpy()
        )
        return certain


@dataclass(frozen=True, slots=True)
class Finer:
    """The grid that logits are interpolated to.

    Attributes
    ----------
    shape : tuple of 3 int
        Its size; the outer faces of both grids coincide.
    nearest_axis : int or None
        Axis along which the nearest slice is taken instead (nnU-Net, very anisotropic grids).
    """

    shape: Sizes
    nearest_axis: int | None = None


class Slabs(Protocol):
    """Receives the logits slab by slab along one axis."""

    def take(self, sums: Tensor, weights: Tensor, agreed: Tensor | None = None) -> None:
        """Take the next slab: weighted sums (.., count) of logits and their weights (.., 1).

        ``agreed`` (.., 1) are the weighted sums of the shares of agreeing answers.
        """


class MeanLogits:
    """Keeps the mean logits and decides nothing.

    Parameters
    ----------
    inner, axis
        As for `SameGrid`.
    """

    def __init__(self, inner: Box, axis: int) -> None:
        self._inner, self._axis = inner, axis
        self._slices: list[Tensor] = []
        self._begin = 0

    def take(self, sums: Tensor, weights: Tensor, agreed: Tensor | None = None) -> None:
        """Take the next slab."""
        wanted = self._inner[self._axis]
        across = tuple(side for axis, side in enumerate(self._inner) if axis != self._axis)
        for k in range(sums.shape[self._axis]):
            here, self._begin = self._begin, self._begin + 1
            if not wanted.start <= here < wanted.stop:
                continue
            part, weight = sums.select(self._axis, k), weights.select(self._axis, k)
            _require_finite(part)
            if agreed is not None:
                part = torch.cat([part, agreed.select(self._axis, k)], dim=-1)
            self._slices.append((part / weight)[across])

    def mean(self) -> Tensor:
        """Mean logits (Z, Y, X, count) of the image; shares of agreeing answers behind them."""
        return torch.stack(self._slices, dim=self._axis)


class SameGrid:
    """Decides every voxel on the network's grid.

    Parameters
    ----------
    head : Head
        Decides.
    shape : tuple of 3 int
        Padded size.
    inner : tuple of 3 slices
        Where the image lies in there.
    axis : int
        Axis of the slabs.
    """

    def __init__(self, head: Head, shape: Sizes, inner: Box, axis: int) -> None:
        self._head, self._inner, self._axis = head, inner, axis
        self._classes = np.zeros(shape, np.uint8)
        self._certainty = None if head.temperature is None else np.zeros(shape, np.uint8)
        self._agreement: NDArray[np.uint8] | None = None
        self._begin = 0

    def take(self, sums: Tensor, weights: Tensor, agreed: Tensor | None = None) -> None:
        """Decide a slab, slice by slice: decisions need 8 bytes per voxel."""
        count = sums.shape[self._axis]
        place: list[slice] = [slice(None)] * 3
        place[self._axis] = slice(self._begin, self._begin + count)
        classes = self._classes[tuple(place)]
        certainty = None if self._certainty is None else self._certainty[tuple(place)]
        for k, part in enumerate(sums):
            _require_finite(part)
            classes[k] = self._head.decide(part).cpu().numpy()
            if certainty is not None:
                certainty[k] = self._head.certainty(part / weights[k])
        if agreed is not None:
            if self._agreement is None:
                self._agreement = np.zeros(self._classes.shape, np.uint8)
            self._agreement[tuple(place)] = _as_bytes((agreed / weights)[..., 0])
        self._begin += count

    def result(self) -> Prediction:
        """Classes, certainty and agreement of the image."""
        certainty, agreement = self._certainty, self._agreement
        return Prediction(
            self._classes[self._inner],
            None if certainty is None else certainty[self._inner],
            None if agreement is None else agreement[self._inner],
        )


class OnFinerGrid:
    """Decides on another grid, from linearly interpolated mean logits (edges repeated).

    Parameters
    ----------
    head, inner, axis
        As for `SameGrid`.
    finer : Finer
        The grid to decide on.
    """

    def __init__(self, head: Head, inner: Box, axis: int, finer: Finer) -> None:
        self._head, self._inner, self._axis, self._finer = head, inner, axis, finer
        self._across = [a for a in range(3) if a != axis]
        # Filled slab by slab: the axis of the slabs comes first until the end.
        sizes = [finer.shape[a] for a in (axis, *self._across)]
        self._classes = np.zeros(sizes, np.uint8)
        self._certainty = None if head.temperature is None else np.zeros(sizes, np.uint8)
        self._agreement: NDArray[np.uint8] | None = None
        length = inner[axis].stop - inner[axis].start
        self._position = source_positions(
            finer.shape[axis], length, nearest=axis == finer.nearest_axis
        )
        self._seen = -inner[axis].start
        self._before: Tensor | None = None
        self._done = 0

    def take(self, sums: Tensor, weights: Tensor, agreed: Tensor | None = None) -> None:
        """Take the next slab and decide all slices whose two neighbours are known."""
        if agreed is not None and self._agreement is None:
            self._agreement = np.zeros(self._classes.shape, np.uint8)
        last = self._inner[self._axis].stop - self._inner[self._axis].start - 1
        crop = tuple(self._inner[a] for a in self._across)
        for k in range(sums.shape[self._axis]):
            part, weight = sums.select(self._axis, k), weights.select(self._axis, k)
            here, self._seen = self._seen, self._seen + 1
            if not 0 <= here <= last:
                continue
            _require_finite(part)
            if agreed is not None:  # one more channel, interpolated as the logits are
                part = torch.cat([part, agreed.select(self._axis, k)], dim=-1)
            mean = (part / weight)[crop]
            self._decide(mean, here, final=here == last)
            self._before = mean

    def result(self) -> Prediction:
        """Classes, certainty and agreement on the finer grid."""
        certainty, agreement = self._certainty, self._agreement
        return Prediction(
            np.moveaxis(self._classes, 0, self._axis),
            None if certainty is None else np.moveaxis(certainty, 0, self._axis),
            None if agreement is None else np.moveaxis(agreement, 0, self._axis),
        )

    def _decide(self, mean: Tensor, here: int, *, final: bool) -> None:
        """Decide the slices up to source slice ``here``; all that are left, after the last one."""
        while self._done < len(self._position) and (final or self._position[self._done] <= here):
            share = float(self._position[self._done]) - (here - 1)
            if self._before is None or share >= 1:
                between = mean
            else:
                between = torch.lerp(self._before, mean, share)
            fine = self._across_the_slice(between)
            if self._agreement is not None:
                self._agreement[self._done] = _as_bytes(fine[..., self._head.count])
                fine = fine[..., : self._head.count]
            self._classes[self._done] = self._head.decide(fine).cpu().numpy()
            if self._certainty is not None:
                self._certainty[self._done] = self._head.certainty(fine)
            self._done += 1

    def _across_the_slice(self, logits: Tensor) -> Tensor:
        """Interpolate (A, B, count) logits within their slice."""
        for place, axis in enumerate(self._across):
            size = self._finer.shape[axis]
            if size == logits.shape[place]:
                continue
            nearest = axis == self._finer.nearest_axis
            at = source_positions(size, logits.shape[place], nearest=nearest)
            low = np.floor(at).astype(np.int64)
            high = np.minimum(low + 1, logits.shape[place] - 1)
            share = torch.from_numpy((at - low).astype(np.float32)).to(logits.device)
            share = share.view([-1 if a == place else 1 for a in range(3)])
            one, other = (
                logits.index_select(place, torch.from_numpy(index).to(logits.device))
                for index in (low, high)
            )
            logits = torch.lerp(one, other, share)
        return logits


def source_positions(size: int, source: int, *, nearest: bool) -> NDArray[np.float64]:
    """Where the voxels of one axis lie on another of the same extent, in the latter's voxels.

    Parameters
    ----------
    size, source : int
        Voxels of the wanted and of the given axis.
    nearest : bool
        Whole voxels only.

    Returns
    -------
    (size,) ndarray of float64
        0 to ``source`` - 1, ascending.
    """
    position = (np.arange(size) + 0.5) * (source / size) - 0.5
    if nearest:
        position = np.floor(position + 0.5)
    clipped: NDArray[np.float64] = np.clip(position, 0, source - 1)
    return clipped


def _as_bytes(share: Tensor) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = (share * ALL_AGREE).round_().to(torch.uint8).cpu().numpy()
    return found


def _require_finite(part: Tensor) -> None:
    if not bool(torch.isfinite(part.sum())):
        raise SegmentationError(
            "the network's output is not finite", reasons=("non_finite_logits",)
        )

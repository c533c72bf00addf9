"""Leave out stretches of a cutout where the network only repeats itself.

Most of a cutout is background, and in the middle of a wide stretch of background a U-Net repeats
itself: constant in the encoder, periodic in the decoder with the period of its coarsest level. So
the network runs on a folded cutout, from which slabs of background planes are taken out, whole
periods at a time, never close to a structure nor to the cutout's border. The group norms count the
planes beside the seam as often as they occur in the whole cutout, so that mean and variance stay
those of the whole, and the answer is unfolded by repeating the same planes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Slab:
    """Planes that are taken out of one axis.

    Attributes
    ----------
    start, stop : int
        Planes of the whole cutout, multiples of the period.
    """

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class AxisFold:
    """How one axis of a cutout is folded.

    Attributes
    ----------
    size : int
        Planes of the whole cutout.
    slabs : tuple of Slab
        What is left out, in ascending order.
    period : int
        Size of one voxel of the coarsest level, in voxels of the full resolution.
    """

    size: int
    slabs: tuple[Slab, ...]
    period: int

    def kept(self) -> NDArray[np.int64]:
        """Planes of the whole cutout that remain."""
        planes = np.arange(self.size)
        out = [(planes >= slab.start) & (planes < slab.stop) for slab in self.slabs]
        return planes[~np.any(out, axis=0)] if out else planes

    def source(self) -> NDArray[np.int64]:
        """For each plane of the whole cutout the plane of the folded one that answers for it."""
        stand_in = np.arange(self.size)
        for slab in self.slabs:
            left_out = np.arange(slab.start, slab.stop)
            stand_in[left_out] = slab.start - self.period + (left_out - slab.start) % self.period
        return np.searchsorted(self.kept(), stand_in)

    def plane_weights(self, level: int) -> NDArray[np.float32]:
        """How often each plane of a level occurs in the whole cutout.

        Parameters
        ----------
        level : int
            0 = full resolution; each further one halves it.

        Returns
        -------
        ndarray of float32
            One weight per plane of the folded axis; their sum is the whole axis' size.
        """
        folded = self.size - sum(slab.stop - slab.start for slab in self.slabs)
        weights = np.ones(folded >> level, dtype=np.float32)
        gone = 0
        for slab in self.slabs:
            seam = (slab.start - gone) >> level
            # One period around the seam stands for every period left out.
            half = max(1, (self.period >> level) // 2)
            repeats = (slab.stop - slab.start) / self.period
            share = repeats if self.period >> level > 1 else repeats / 2
            weights[seam - half : seam + half] += share
            gone += slab.stop - slab.start
        return weights


def fold(classes: NDArray[np.uint8], keep: int, period: int) -> tuple[AxisFold, AxisFold, AxisFold]:
    """Find what can be left out of a cutout.

    Parameters
    ----------
    classes : 3-D ndarray
        0 is background; sizes are divisible by the period.
    keep : int
        Background planes that remain on either side of a seam, at least one period.
    period : int
        See `AxisFold`.

    Returns
    -------
    tuple of 3 AxisFolds
        Without slabs where no stretch is long enough.
    """
    folds = []
    for axis, size in enumerate(classes.shape):
        others = tuple(other for other in range(classes.ndim) if other != axis)
        # Sentinels at both ends make the border a neighbour to stay away from, like a structure.
        occupied = np.concatenate(([-1], np.flatnonzero(classes.any(axis=others)), [size]))
        slabs = []
        for last, following in pairwise(occupied):
            start = -(-(int(last) + 1 + keep) // period) * period
            stop = (int(following) - keep) // period * period
            if stop > start:
                slabs.append(Slab(start, stop))
        folds.append(AxisFold(size, tuple(slabs), period))
    p, i, r = folds
    return p, i, r

"""Masks of several sources in one: the first that says something about a voxel is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from app.research.annotation.recipe import Source


@dataclass(frozen=True, slots=True)
class Merged:
    """What came out of a merge.

    Attributes
    ----------
    labels : (Z, Y, X) ndarray of uint16
        SPINEPS labels; 0 where no source says anything.
    origins : (Z, Y, X) ndarray of uint8
        Number of the source that was believed; 0 where none.
    contested : (Z, Y, X) ndarray of bool
        Where a source of lower priority calls a voxel something else.
    """

    labels: NDArray[np.uint16]
    origins: NDArray[np.uint8]
    contested: NDArray[np.bool_]

    @property
    def contested_share(self) -> float:
        """Of the labelled voxels; 0 where there are none."""
        labelled = int(np.count_nonzero(self.labels))
        return int(np.count_nonzero(self.contested)) / max(1, labelled)


def merge(
    shape: tuple[int, int, int], layers: Iterable[tuple[Source, NDArray[np.integer]]]
) -> Merged:
    """Put the sources' labels on top of each other, none of them over another.

    Parameters
    ----------
    shape : tuple of 3 int
        Of the image.
    layers : iterable of (Source, (Z, Y, X) ndarray)
        In order of priority, the highest first; labels of the SPINEPS scheme on the image's grid.

    Returns
    -------
    Merged
        A voxel keeps what the first source called it that takes this label.
    """
    labels = np.zeros(shape, np.uint16)
    origins = np.zeros(shape, np.uint8)
    contested = np.zeros(shape, np.bool_)
    for source, layer in layers:
        taken = np.isin(layer, list(source.take))
        free = taken & (labels == 0)
        contested |= taken & ~free & (labels != layer)
        labels[free] = layer[free]
        origins[free] = source.number
    return Merged(labels, origins, contested)

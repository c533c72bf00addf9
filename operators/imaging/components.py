"""Connected components and holes of masks: thin, typed doors to cc3d and fill_voids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cc3d
import fill_voids
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.cropping import Box

Connectivity = Literal[6, 18, 26]


@dataclass(frozen=True, slots=True)
class Components:
    """The connected parts of one mask.

    Attributes
    ----------
    labels_zyx : (Z, Y, X) ndarray of uint32
        0 outside the mask, 1..count inside, in raster order of each part's first voxel.
    voxel_counts : tuple of int
        Size of part 1, 2, ... count.
    boxes : tuple of Box
        Bounding box of part 1, 2, ... count (stop exclusive).
    centres_zyx : (count, 3) ndarray of float64
        Mean index of each part, in voxels.
    """

    labels_zyx: NDArray[np.uint32]
    voxel_counts: tuple[int, ...]
    boxes: tuple[Box, ...]
    centres_zyx: NDArray[np.float64]

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(self.voxel_counts)

    def by_size(self) -> list[int]:
        """Labels of the parts, biggest first; equal sizes in raster order."""
        return sorted(range(1, self.count + 1), key=lambda n: -self.voxel_counts[n - 1])

    def mask_of(self, label: int) -> NDArray[np.bool_]:
        """One part as a mask of the whole array."""
        return np.asarray(self.labels_zyx == label)


def components(mask: NDArray[np.generic], connectivity: Connectivity = 26) -> Components:
    """Find the connected parts of a mask.

    Parameters
    ----------
    mask : (Z, Y, X) ndarray
        Non-zero (or True) is inside; values are not told apart.
    connectivity : {6, 18, 26}
        Neighbours by faces, by faces and edges, or by corners too.

    Returns
    -------
    Components
        Parts with their sizes, boxes and centres.
    """
    inside = np.ascontiguousarray(mask != 0)
    if not inside.any():
        nothing = np.zeros(inside.shape, np.uint32)
        return Components(nothing, (), (), np.zeros((0, 3)))
    labels = _labelled(inside, connectivity)
    statistics = cc3d.statistics(labels)
    return Components(
        labels_zyx=labels,
        voxel_counts=tuple(int(n) for n in statistics["voxel_counts"][1:]),
        boxes=tuple(_box(box) for box in statistics["bounding_boxes"][1:]),
        centres_zyx=np.asarray(statistics["centroids"][1:], np.float64),
    )


def parts_of_labels(
    labels_zyx: NDArray[np.unsignedinteger], connectivity: Connectivity = 26
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Find the connected parts of all labels of a map in one pass.

    Parameters
    ----------
    labels_zyx : (Z, Y, X) ndarray
        0 is background. Touching voxels of different labels are never one part.
    connectivity : {6, 18, 26}
        Neighbours by faces, by faces and edges, or by corners too.

    Returns
    -------
    parts_zyx : (Z, Y, X) ndarray of uint32
        0 outside, 1 .. n inside.
    voxel_counts : (n + 1,) ndarray of int64
        Size of every part; entry 0 is the background.
    """
    parts = _labelled(np.ascontiguousarray(labels_zyx), connectivity)
    return parts, np.bincount(parts.ravel(), minlength=1)


def fill_holes(mask: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Fill every cavity that the outside cannot reach through faces (6-connectivity).

    Parameters
    ----------
    mask : (Z, Y, X) ndarray
        Non-zero (or True) is inside.

    Returns
    -------
    (Z, Y, X) ndarray of bool
        A new array.
    """
    inside = np.ascontiguousarray(mask != 0)
    return np.asarray(fill_voids.fill(inside, in_place=False), dtype=np.bool_)


def _labelled(inside: NDArray[np.generic], connectivity: Connectivity) -> NDArray[np.uint32]:
    # With one row of voxels and a gap in it, cc3d 26-connected runs out of labels and raises; a
    # second row gives it room.
    is_line = sum(size > 1 for size in inside.shape) < 2  # noqa: PLR2004
    given = np.pad(inside, ((0, 1),) * 3) if is_line else inside
    found = cc3d.connected_components(given, connectivity=connectivity, out_dtype=np.uint32)
    return np.ascontiguousarray(found[tuple(slice(size) for size in inside.shape)], np.uint32)


def _box(box: tuple[slice, slice, slice]) -> Box:
    k, j, i = (slice(int(side.start), int(side.stop)) for side in box)
    return k, j, i

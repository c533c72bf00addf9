"""Sizes, centres and boxes of all labels of a map in one pass over its foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import find_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from operators.imaging.cropping import Box

HEIGHT_AXIS = 1
"""Axis of a PIR array ``[R, I, P]`` that grows downwards (inferior)."""

Centre = tuple[float, float, float]


def voxel_counts(labels_zyx: NDArray[np.unsignedinteger]) -> dict[int, int]:
    """Voxels of every label but 0, by ascending label."""
    counts = np.bincount(labels_zyx.ravel())
    return {int(n): int(counts[n]) for n in np.flatnonzero(counts) if n}


def centres_of(labels_zyx: NDArray[np.unsignedinteger]) -> dict[int, Centre]:
    """Mean index (k, j, i) of every label but 0, by ascending label."""
    places = np.nonzero(labels_zyx)
    values = labels_zyx[places]
    counts = np.bincount(values)
    present = np.flatnonzero(counts)
    sums = [np.bincount(values, weights=place)[present] / counts[present] for place in places]
    return {
        int(label): (float(k), float(j), float(i))
        for label, k, j, i in zip(present, *sums, strict=True)
    }


def boxes_of(labels_zyx: NDArray[np.unsignedinteger]) -> dict[int, Box]:
    """Bounding box of every label but 0, by ascending label."""
    boxes: dict[int, Box] = {}
    for label, box in enumerate(find_objects(labels_zyx), start=1):
        if box:
            k, j, i = box
            boxes[label] = (k, j, i)
    return boxes


def widened(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    """Put a margin around a box, cut at the array's edge."""
    k, j, i = (
        slice(max(side.start - margin, 0), min(side.stop + margin, size))
        for side, size in zip(box, shape, strict=True)
    )
    return k, j, i


def from_the_top(centres: dict[int, Centre]) -> list[int]:
    """Labels from superior to inferior (PIR); equal heights by the other two coordinates."""
    return sorted(centres, key=lambda n: (centres[n][HEIGHT_AXIS], centres[n]))


def mapped(
    labels_zyx: NDArray[np.unsignedinteger], new_labels: dict[int, int]
) -> NDArray[np.uint16]:
    """Every label exchanged for another; labels that are not named become 0."""
    table = np.zeros(max(int(labels_zyx.max(initial=0)), *new_labels, 0) + 1, np.uint16)
    for old, new in new_labels.items():
        table[old] = new
    return np.asarray(table[labels_zyx])


def is_one_of(labels_zyx: NDArray[np.unsignedinteger], wanted: Sequence[int]) -> NDArray[np.bool_]:
    """Mask of several labels by table look-up, quicker than ``np.isin``."""
    table = np.zeros(max(int(labels_zyx.max(initial=0)), *wanted) + 1, np.bool_)
    table[list(wanted)] = True
    return np.asarray(table[labels_zyx])

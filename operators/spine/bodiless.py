"""Instances that show no vertebral body, or a sliver of one, are no vertebrae of their own.

The instance network answers "the vertebra below" for the lowest body even where that is the
sacrum, and "the one above" for a body at the upper edge; what is left of such an answer is a scrap
of arch with a number of its own. Between two vertebrae it may keep a thin slice of one of them for
itself. This module removes the number, not the voxels: post-processing gives them to the vertebra
they touch, or deletes them where they touch none. Two keep their number: C1, which has no body, and
a vertebra of which the upper edge of the image leaves only arch and processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.errors import GeometryError
from operators.imaging.orientation import reorient
from operators.imaging.volume import voxel_volume_mm3
from operators.spine.atlas import BODIES, has_own_processes, is_cervical
from operators.spine.cut_above import is_cut_above

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap

LEAST_BODY_MM3 = 200.0
"""A twentieth of the smallest adult body, C3 with about 4 ml (13.6 x 15.3 x 17.5 mm, Panjabi et al.
1991): less of a body in the image cannot be told from a labelling error. Raising it loses the body
cut by the edge of the field of view."""

SLIVER_SHARE = 0.125
"""Of both neighbours' bodies. Bodies differ by less than 30 % from level to level (Panjabi et al.
1992) and a vertebra plana keeps about a quarter of its height; the slivers seen had 3 and 9 %."""

_REACH = 2
"""Bodies looked at on each side, so that two slivers side by side don't hide each other."""


def without_bodiless(
    semantic: LabelMap, instances: LabelMap, least_body_mm3: float = LEAST_BODY_MM3
) -> tuple[LabelMap, tuple[str, ...]]:
    """Take the number from instances with too little vertebral body.

    Parameters
    ----------
    semantic, instances : LabelMap
        Structures and raw instances on one grid.
    least_body_mm3 : float
        Smallest visible part of a body.

    Returns
    -------
    instances : LabelMap
        As given where every instance has a body, or none has.
    warnings : tuple of str
        ``instances_without_body: n`` where n > 0.

    Raises
    ------
    GeometryError
        If the shapes differ (``different_grids``).
    """
    if semantic.labels_zyx.shape != instances.labels_zyx.shape:
        raise GeometryError("the two maps lie on different grids", reasons=("different_grids",))
    raw = instances.labels_zyx
    present = np.unique(raw)
    is_body = np.isin(semantic.labels_zyx, BODIES)
    body = np.bincount(raw[is_body], minlength=int(present[-1]) + 1)
    least_voxels = least_body_mm3 / voxel_volume_mm3(semantic.affine_lps)
    bodiless = [int(n) for n in present if n and body[n] < least_voxels]
    if len(bodiless) == np.count_nonzero(present):
        return instances, ()
    heights = _heights(np.where(is_body, raw, 0), semantic.affine_lps)
    column = sorted((n for n in heights if n not in bodiless), key=lambda n: heights[n])
    bodiless = [n for n in bodiless if not _is_vertebra_above(semantic, instances, n, column[-1])]
    slivers = _slivers([int(body[n]) for n in column])
    bodiless += [column[place] for place in slivers]
    if not bodiless:
        return instances, ()
    kept = np.where(np.isin(raw, bodiless), 0, raw).astype(raw.dtype)
    return instances.with_labels(kept), (f"instances_without_body: {len(bodiless)}",)


def _is_vertebra_above(
    semantic: LabelMap, instances: LabelMap, bodiless: int, topmost: int
) -> bool:
    """Say whether an instance without a body stands above the topmost body with good reason."""
    if is_cut_above(semantic, instances, bodiless, topmost):
        return True
    raw = instances.labels_zyx
    pair = np.where((raw == bodiless) | (raw == topmost), raw, 0)
    heights = _heights(pair, semantic.affine_lps)
    if heights[bodiless] <= heights[topmost]:
        return False
    turned, vertebrae = (reorient(labels, ("P", "I", "R")) for labels in (semantic, instances))
    arrays = turned.labels_zyx, vertebrae.labels_zyx
    return has_own_processes(*arrays, bodiless, topmost) and is_cervical(
        *arrays, topmost, turned.spacing_zyx_mm
    )


def _heights(
    instances: NDArray[np.unsignedinteger], affine_lps: NDArray[np.float64]
) -> dict[int, float]:
    """Mean height of every instance, mm towards the head."""
    places = np.nonzero(instances)
    numbers = instances[places]
    towards_head = sum(step * place for step, place in zip(affine_lps[2, :3], places, strict=True))
    counts = np.bincount(numbers)
    sums = np.bincount(numbers, weights=np.asarray(towards_head, dtype=np.float64))
    return {int(n): float(sums[n] / counts[n]) for n in np.flatnonzero(counts)}


def _slivers(column: list[int]) -> list[int]:
    """Places of the bodies far smaller than those on both sides; sizes from foot to head."""
    found = []
    for place, size in enumerate(column):
        below = column[max(0, place - _REACH) : place]
        above = column[place + 1 : place + 1 + _REACH]
        if below and above and size < SLIVER_SHARE * min(max(below), max(above)):
            found.append(place)
    return found

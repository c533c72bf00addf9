"""Remove what the semantic network put where no spine is: crumbs, far islands, holes.

Follows SPINEPS 2.1.3 voxel for voxel (its `phase_semantic`). It never adds a label and judges no
anatomy: that is `operators.spine.quality.presence`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure
from operators.imaging.components import components, fill_holes, parts_of_labels
from operators.imaging.cropping import bounding_box
from operators.imaging.orientation import axis_codes, reorient
from operators.spine.label_statistics import HEIGHT_AXIS, is_one_of
from operators.spine.thresholds import (
    REFERENCE_VOXEL_MM3,
    voxels_of_volume,
    whole_voxels_of_length,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.cropping import Box
    from operators.imaging.volume import LabelMap
    from operators.spine.thresholds import Spacing

CRUMB_MM3 = 30 * REFERENCE_VOXEL_MM3
"""Smaller parts are deleted: 27.8 mm^3 (SPINEPS: 30 voxels). Higher values eat thin processes."""

CRUMB_LABELS = (*POSTERIOR_ELEMENTS, Structure.CORPUS, Structure.CANAL, Structure.DISC)
"""Labels that lose crumbs; cord, endplates and sacrum are legitimately thin or cut."""

NEARBY_MM = 3.0
"""Parts whose boxes come this close belong to the spine (SPINEPS: 4 x 0.75 mm); once more on I."""

HOLE_LABELS = (Structure.CORPUS, Structure.CANAL, Structure.DISC, Structure.CORD)
"""Labels whose holes are filled, in this order: the first takes a voxel that two enclose."""


def clean_semantic(labels: LabelMap) -> LabelMap:
    """Clean the semantic map of one network run.

    Parameters
    ----------
    labels : LabelMap
        Semantic labels (`Structure`) on any grid and in any orientation; may be empty.

    Returns
    -------
    LabelMap
        Same grid and type. Small parts are gone, parts far from the biggest one are gone, holes
        are filled.

    References
    ----------
    SPINEPS 2.1.3, semantic phase; Möller et al. 2024, doi 10.1007/s00330-024-11155-y.
    """
    turned = reorient(labels, ("P", "I", "R"))
    box = bounding_box(turned.labels_zyx)
    if box is None:
        return labels
    whole = np.array(turned.labels_zyx, order="C")
    inside = np.array(turned.labels_zyx[box], order="C")
    spacing = turned.spacing_zyx_mm
    _drop_crumbs_in_place(inside, voxels_of_volume(CRUMB_MM3, spacing))
    _drop_islands_in_place(inside, spacing)
    _fill_holes_in_place(inside)
    whole[box] = inside
    return reorient(turned.with_labels(whole), axis_codes(labels.affine_lps))


def _drop_crumbs_in_place(labels_zyx: NDArray[np.unsignedinteger], smallest_voxels: int) -> None:
    judged = np.where(is_one_of(labels_zyx, CRUMB_LABELS), labels_zyx, 0)
    parts, sizes = parts_of_labels(judged, 6)
    is_crumb = sizes < smallest_voxels
    is_crumb[0] = False
    if is_crumb.any():
        labels_zyx[is_crumb[parts]] = 0


def _drop_islands_in_place(labels_zyx: NDArray[np.unsignedinteger], spacing: Spacing) -> None:
    found = components(labels_zyx, 26)
    if found.count <= 1:
        return
    margin = whole_voxels_of_length(NEARBY_MM, spacing)
    # Boxes are compared unclipped here: clipping at the array's edge, as SPINEPS does, can only
    # shorten a box where no other box can lie.
    boxes = [_grown(box, margin) for box in found.boxes]
    more = max(round(NEARBY_MM / min(spacing)), 0)
    kept = {found.by_size()[0] - 1}
    frontier = set(kept)
    while frontier:
        near = {
            n
            for n in range(found.count)
            if n not in kept and any(_touch(boxes[n], boxes[m], more) for m in frontier)
        }
        kept |= near
        frontier = near
    gone = np.ones(found.count + 1, np.bool_)
    gone[[0, *(n + 1 for n in kept)]] = False
    labels_zyx[gone[found.labels_zyx]] = 0


def _grown(box: Box, margin: int) -> Box:
    k, j, i = (slice(side.start - margin, side.stop + margin) for side in box)
    return k, j, i


def _touch(candidate: Box, accepted: Box, more_on_height: int) -> bool:
    """Overlap or contact on all axes; the accepted box reaches further up and down."""
    for axis in range(3):
        extra = more_on_height if axis == HEIGHT_AXIS else 0
        first, second = candidate[axis], accepted[axis]
        if first.start > second.stop + extra or first.stop < second.start - extra:
            return False
    return True


def _fill_holes_in_place(labels_zyx: NDArray[np.unsignedinteger]) -> None:
    for label in HOLE_LABELS:
        box = bounding_box(labels_zyx == label)
        if box is None:
            continue
        part = labels_zyx[box]
        filled = fill_holes(part == label)
        part[filled & (part == 0)] = label

"""Instances that show no vertebral body are no vertebrae of their own.

The instance network answers "the vertebra below" for the lowest body even where that is the
sacrum, and "the one above" for a body at the upper edge; what is left of such an answer is a scrap
of arch with a number of its own. This module removes the number, not the voxels: post-processing
gives them to the vertebra they touch, or deletes them where they touch none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import Structure
from operators.errors import GeometryError
from operators.imaging.volume import voxel_volume_mm3

if TYPE_CHECKING:
    from operators.imaging.volume import LabelMap

LEAST_BODY_MM3 = 200.0
"""A twentieth of the smallest adult body, C3 with about 4 ml (13.6 x 15.3 x 17.5 mm, Panjabi et al.
1991): less of a body in the image cannot be told from a labelling error. Raising it loses the body
cut by the edge of the field of view."""

_BODIES = (Structure.CORPUS, Structure.CORPUS_DENSE, Structure.DENS)


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
    body = np.bincount(raw[np.isin(semantic.labels_zyx, _BODIES)], minlength=int(present[-1]) + 1)
    least_voxels = least_body_mm3 / voxel_volume_mm3(semantic.affine_lps)
    bodiless = [n for n in present if n and body[n] < least_voxels]
    if not bodiless or len(bodiless) == np.count_nonzero(present):
        return instances, ()
    kept = np.where(np.isin(raw, bodiless), 0, raw).astype(raw.dtype)
    return instances.with_labels(kept), (f"instances_without_body: {len(bodiless)}",)

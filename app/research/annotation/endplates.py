"""What lies between a body and a disc, and was drawn by nobody, is endplate.

Holes are looked for along the lines of voxels that run from head to foot: on a line, unlabelled
voxels with a body at one end and a disc at the other. So nothing grows beyond the rim of the body
or the disc, and a gap towards anything else stays a gap.

References
----------
Möller et al., Eur Radiol 2024, doi 10.1007/s00330-024-11155-y: holes between the vertebral body and
the disc were filled as the endplate class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import Structure
from operators.imaging.orientation import axis_codes, reorient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap

_BODY = (int(Structure.CORPUS), int(Structure.CORPUS_DENSE))
_DISC = int(Structure.DISC)


def fill_endplates(labels: LabelMap, widest_mm: float) -> LabelMap:
    """Call the holes between bodies and discs endplates.

    Parameters
    ----------
    labels : LabelMap
        SPINEPS labels, any orientation.
    widest_mm : float
        Higher gaps stay as they are.

    Returns
    -------
    LabelMap
        On the same grid; only unlabelled voxels have changed, to 62.
    """
    upright = reorient(labels, ("P", "I", "R"))
    most = int(widest_mm / upright.spacing_zyx_mm[1] + 1e-6)
    filled = upright.with_labels(_filled(upright.labels_zyx, most))
    return reorient(filled, axis_codes(labels.affine_lps))


def _filled(rip: NDArray[np.unsignedinteger], most: int) -> NDArray[np.unsignedinteger]:
    """Fill runs of at most ``most`` voxels along I of an [R, I, P] array."""
    above, distance_above = _nearest_before(rip)
    below, distance_below = (side[:, ::-1] for side in _nearest_before(rip[:, ::-1]))
    is_between = (np.isin(above, _BODY) & (below == _DISC)) | (
        (above == _DISC) & np.isin(below, _BODY)
    )
    gap = distance_above + distance_below - 1
    hole = (rip == 0) & is_between & (gap <= most)
    return np.where(hole, np.array(int(Structure.ENDPLATE), rip.dtype), rip)


def _nearest_before(
    rip: NDArray[np.unsignedinteger],
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.int32]]:
    """Nearest label at or before every voxel along I, and how many voxels away it is."""
    row = np.arange(rip.shape[1], dtype=np.int32)[None, :, None]
    place = np.maximum.accumulate(np.where(rip > 0, row, -1), axis=1)
    found = np.take_along_axis(rip, np.maximum(place, 0), axis=1)
    return np.where(place < 0, np.zeros((), rip.dtype), found), (row - place).astype(np.int32)

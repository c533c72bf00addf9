"""What to show of a volume on pictures: sections that follow the spine, and which part of them.

A plane leaves a scoliotic spine; the sagittal sections here lie on a surface that runs through the
middle of the canal, row by row, and the coronal one on a surface through the middle of the bodies.
Where the spine is straight, the sagittal section is one slice of the scanner, untouched. Chosen
from the labels alone. Drawing is the business of ``panels`` and ``overlay``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from operators.anatomy.codes import STRUCTURES
from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.unsignedinteger]

SAGITTAL: Final = ("P", "I", "R")
"""Arrays then are [right, inferior, posterior]: slices to the right, rows down, columns back."""

STRAIGHT_MM: Final = 4.0
"""A spine is drawn from one slice where the canal's middle stays within this distance of it: the
cord, about 10 mm wide, then is cut by that slice all along."""

_SMOOTH_MM: Final = 10.0
"""Standard deviation of the smoothing along the spine: half a thoracic body, so that the surface
bends with the spine and not with single voxels."""
_MARGIN_MM: Final = 40.0
"""Kept around what was found; a larger field of view is cut, so that the spine fills the panels."""
_LATERAL_MM: Final = 15.0
"""Distance of the facets from the midline, used where no facet was found."""

_CANAL: Final = (Structure.CANAL, Structure.CORD)
_BODIES: Final = (Structure.CORPUS, Structure.DENS, Structure.DISC, Structure.SACRUM)


@dataclass(frozen=True, slots=True)
class CurvedView:
    """Where the sections lie, row by row.

    Attributes
    ----------
    middle : (I,) ndarray of float64
        Slice coordinate of the mid-sagittal surface in every row.
    lateral_offset : int
        Distance of the lateral surface from it, slices; positive to the right.
    front : (I,) ndarray of float64
        Column coordinate of the coronal surface in every row.
    """

    middle: Floats
    lateral_offset: int
    front: Floats

    @property
    def is_straight(self) -> bool:
        """Whether the mid-sagittal section is one slice of the scanner."""
        return bool(np.ptp(self.middle) == 0.0)

    def sagittal(self, array_rip: NDArray[np.generic], offset: int = 0) -> NDArray[np.generic]:
        """Section along the middle of the canal, or beside it.

        Parameters
        ----------
        array_rip : (R, I, P) ndarray
            Floats are interpolated between slices, whole numbers (labels) are looked up.
        offset : int
            Slices to the right of the middle.

        Returns
        -------
        (I, P) ndarray
            Places outside the volume show its first or last slice.
        """
        return _section(array_rip, self.middle + offset)

    def coronal(self, array_rip: NDArray[np.generic]) -> NDArray[np.generic]:
        """Section through the middle of the bodies, as a radiologist looks at it.

        Parameters
        ----------
        array_rip : (R, I, P) ndarray
            As for `sagittal`.

        Returns
        -------
        (I, L) ndarray
            Columns run from the patient's right to the left.
        """
        return _section(array_rip.transpose(2, 1, 0), self.front)[:, ::-1]


def curved_view(semantic_rip: Labels, spacing_rip_mm: tuple[float, float, float]) -> CurvedView:
    """Lay the sections through a spine.

    Parameters
    ----------
    semantic_rip : (R, I, P) ndarray
        Semantic labels, slices running from left to right of the patient.
    spacing_rip_mm : tuple of 3 float
        Along the three axes.

    Returns
    -------
    CurvedView
        Through the canal (else the bodies, else anything found, else the middle of the image); to
        the side, through most of the articular and costal processes.
    """
    step, row, _ = spacing_rip_mm
    smooth = _SMOOTH_MM / row
    middle = _middle(semantic_rip, step, smooth)
    bodies = _centres(semantic_rip, (_BODIES, tuple(STRUCTURES)), axis=2)
    return CurvedView(
        middle=middle,
        lateral_offset=_lateral_offset(semantic_rip, middle, step),
        front=gaussian_filter1d(bodies, smooth, mode="nearest"),
    )


def field_of_view(
    found_rip: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> tuple[slice, slice, slice]:
    """All slices, and the rows and columns around what was found.

    Parameters
    ----------
    found_rip : (R, I, P) ndarray of bool
        Where anything was found.
    spacing_mm : tuple of 3 float
        Along the three axes.

    Returns
    -------
    tuple of 3 slices
        What to show, with a margin of 40 mm; everything where nothing was found.
    """
    view = [slice(None)]
    for axis, other in ((1, 2), (2, 1)):
        places = np.flatnonzero(found_rip.any(axis=(0, other)))
        if places.size:
            margin = round(_MARGIN_MM / spacing_mm[axis])
            view.append(slice(max(0, int(places[0]) - margin), int(places[-1]) + margin + 1))
        else:
            view.append(slice(None))
    return view[0], view[1], view[2]


def _middle(semantic_rip: Labels, step_mm: float, smooth: float) -> Floats:
    """Slice coordinate of the canal by row: one number everywhere where that is near enough."""
    wanted = (_CANAL, _BODIES, tuple(STRUCTURES))
    centres = _centres(semantic_rip, wanted, axis=0)
    bent: Floats = gaussian_filter1d(centres, smooth, mode="nearest")
    flat = _best_slice(semantic_rip, wanted)
    if np.abs(bent - flat).max() * step_mm <= STRAIGHT_MM:
        return np.full(centres.shape, float(flat))
    return bent


def _best_slice(semantic_rip: Labels, wanted: tuple[tuple[int, ...], ...]) -> int:
    for labels in wanted:
        area = np.isin(semantic_rip, labels).sum(axis=(1, 2)).astype(np.float64) ** 2
        if area.any():
            return int(np.searchsorted(np.cumsum(area), float(area.sum()) / 2.0))
    return int(semantic_rip.shape[0] // 2)


def _centres(semantic_rip: Labels, wanted: tuple[tuple[int, ...], ...], *, axis: int) -> Floats:
    """Mean index along an axis of the first kind of structure that occurs, for every row.

    Rows without it are interpolated; beyond its ends the last value holds.
    """
    count, rows = semantic_rip.shape[axis], semantic_rip.shape[1]
    for labels in wanted:
        voxels = np.isin(semantic_rip, labels).sum(axis=2 - axis, dtype=np.float64)
        profile = voxels if axis == 0 else voxels.T
        weight = profile.sum(axis=0)
        (known,) = np.nonzero(weight)
        if known.size:
            index = np.arange(count, dtype=np.float64)
            found = np.interp(np.arange(rows), known, index @ profile[:, known] / weight[known])
            return np.asarray(found, dtype=np.float64)
    return np.full(rows, count // 2, dtype=np.float64)


def _lateral_offset(semantic_rip: Labels, middle: Floats, step_mm: float) -> int:
    """Slices between the middle and most of the articular and costal processes."""
    count: int = semantic_rip.shape[0]
    sides = np.isin(semantic_rip, POSTERIOR_ELEMENTS[2:]).sum(axis=2)
    slices, rows = np.nonzero(sides)
    offsets = slices - np.rint(middle[rows]).astype(int)
    tally = np.bincount(offsets + count, weights=sides[slices, rows], minlength=2 * count)
    tally[count] = 0
    if tally.any():
        return int(np.argmax(tally)) - count
    offset = max(1, round(_LATERAL_MM / step_mm))
    first, last = int(np.floor(middle.min())), int(np.ceil(middle.max()))
    return -offset if first >= offset else min(offset, count - 1 - last)


def _section(array_kij: NDArray[np.generic], place: Floats) -> NDArray[np.generic]:
    """Values at coordinate ``place[i]`` along the first axis, for every row i."""
    last, rows = array_kij.shape[0] - 1, np.arange(array_kij.shape[1])
    at = np.clip(place, 0.0, float(last))
    if not np.issubdtype(array_kij.dtype, np.floating):
        return np.asarray(array_kij[np.rint(at).astype(int), rows])
    low = np.minimum(np.floor(at).astype(int), max(last - 1, 0))
    share = (at - low)[:, None].astype(array_kij.dtype)
    high = np.minimum(low + 1, last)
    below, above = np.asarray(array_kij[low, rows]), np.asarray(array_kij[high, rows])
    return np.asarray(below * (1 - share) + above * share)

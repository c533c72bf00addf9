"""What to show of a volume on sagittal pictures: which slices and which part of them.

Chosen from the labels alone. Drawing is the business of ``overlay``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.codes import STRUCTURES
from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAGITTAL = ("P", "I", "R")
"""Arrays then are [right, inferior, posterior]: slices to the right, rows down, columns back."""

_MARGIN_MM = 40.0
"""Kept around what was found; a larger field of view is cut, so that the spine fills the panels."""
_LATERAL_MM = 15.0
"""Distance of the facets from the midline, used where no facet was found."""


def display_slices(semantic_rip: NDArray[np.unsignedinteger], step_mm: float) -> tuple[int, int]:
    """Choose a slice through the canal and one through the facets.

    Parameters
    ----------
    semantic_rip : (R, I, P) ndarray
        Semantic labels, slices running from left to right of the patient.
    step_mm : float
        Distance of slices.

    Returns
    -------
    tuple of 2 int
        The middle of canal and cord (else of bodies, else of the image), and the slice off the
        middle with most of the articular and costal processes.
    """
    count = semantic_rip.shape[0]
    middle = count // 2
    for wanted in (
        (Structure.CANAL, Structure.CORD),
        (Structure.CORPUS, Structure.DISC),
        tuple(STRUCTURES),
    ):
        area = np.isin(semantic_rip, wanted).sum(axis=(1, 2)).astype(np.float64) ** 2
        if area.any():
            middle = int(np.searchsorted(np.cumsum(area), area.sum() / 2.0))
            break
    sides = np.isin(semantic_rip, POSTERIOR_ELEMENTS[2:]).sum(axis=(1, 2))
    sides[middle] = 0
    if sides.any():
        return middle, int(sides.argmax())
    offset = max(1, round(_LATERAL_MM / step_mm))
    return middle, middle - offset if middle >= offset else min(middle + offset, count - 1)


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

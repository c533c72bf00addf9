"""Cut boxes out of placed arrays and put margins around them; the affine moves along."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from operators.errors import GeometryError
from operators.imaging.volume import LabelMap, Volume, array_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Box = tuple[slice, slice, slice]

_Placed = TypeVar("_Placed", Volume, LabelMap)


def bounding_box(
    mask: NDArray[np.generic], margin_voxels: int | tuple[int, int, int] = 0
) -> Box | None:
    """Smallest box that holds every non-zero voxel.

    Parameters
    ----------
    mask : (Z, Y, X) ndarray
        Non-zero (or True) is inside.
    margin_voxels : int or tuple of 3 ints
        Widening at both ends of every axis, cut at the array's edge.

    Returns
    -------
    tuple of 3 slices or None
        Start and stop are set, stop exclusive; None if the mask is empty.
    """
    margins = (margin_voxels,) * 3 if isinstance(margin_voxels, int) else margin_voxels
    sides = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hits = np.flatnonzero(mask.any(axis=others))
        if hits.size == 0:
            return None
        start = max(0, int(hits[0]) - margins[axis])
        sides.append(slice(start, min(mask.shape[axis], int(hits[-1]) + 1 + margins[axis])))
    k, j, i = sides
    return k, j, i


def crop(placed: _Placed, box: Box) -> _Placed:
    """Keep only a box; every voxel keeps its place in the patient.

    Parameters
    ----------
    placed : Volume or LabelMap
        What to cut from.
    box : tuple of 3 slices
        Start and stop inside the array, step 1.

    Returns
    -------
    Volume or LabelMap
        A view of the array with a moved origin; ``source`` is cut along.

    Raises
    ------
    GeometryError
        If the box is empty or reaches outside the array.
    """
    array = array_of(placed)
    for side, size in zip(box, array.shape, strict=True):
        if not 0 <= side.start < side.stop <= size or side.step not in {None, 1}:
            raise GeometryError("the box does not lie inside the array", reasons=("invalid_box",))
    affine = _moved(placed.affine_lps, [side.start for side in box])
    if isinstance(placed, Volume):
        source = placed.source[box[0]]
        return replace(placed, voxels_zyx=placed.voxels_zyx[box], affine_lps=affine, source=source)
    return replace(placed, labels_zyx=placed.labels_zyx[box], affine_lps=affine)


def pad(
    placed: _Placed, voxels_before_after: Sequence[tuple[int, int]], value: float = 0
) -> _Placed:
    """Put constant voxels around the array; every voxel keeps its place in the patient.

    Parameters
    ----------
    placed : Volume or LabelMap
        What to widen.
    voxels_before_after : sequence of 3 pairs of int
        New voxels before and behind, along (k, j, i); not negative.
    value : float
        Value of the new voxels; cast to the array's dtype.

    Returns
    -------
    Volume or LabelMap
        Same dtype. ``source`` is dropped if slices were added: the new ones have none.

    Raises
    ------
    GeometryError
        If a number is negative or there are not three pairs.
    """
    widths = [(int(before), int(after)) for before, after in voxels_before_after]
    if len(widths) != 3 or min(min(pair) for pair in widths) < 0:  # noqa: PLR2004  # three axes
        raise GeometryError("padding takes three pairs of counts", reasons=("invalid_padding",))
    affine = _moved(placed.affine_lps, [-before for before, _ in widths])
    if isinstance(placed, Volume):
        voxels = np.pad(placed.voxels_zyx, widths, constant_values=value)
        source = placed.source if widths[0] == (0, 0) else ()
        return replace(placed, voxels_zyx=voxels, affine_lps=affine, source=source)
    labels = np.pad(placed.labels_zyx, widths, constant_values=value)
    return replace(placed, labels_zyx=labels, affine_lps=affine)


def _moved(affine_lps: NDArray[np.float64], start_zyx: Sequence[int]) -> NDArray[np.float64]:
    affine = affine_lps.copy()
    affine[:3, 3] += affine[:3, :3] @ np.asarray(start_zyx, np.float64)
    return affine

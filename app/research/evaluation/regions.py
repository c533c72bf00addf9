"""Cervical, thoracic, lumbar: the region of an instance of the reference.

Only the reference says where in the spine an instance lies; the numbers of a prediction may be
running ones. So a match or a miss counts in the region of its reference instance, and an extra
instance in the region of the reference instance of its kind whose centre is nearest to its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import center_of_mass

from operators.anatomy.labels import T13_INSTANCE
from operators.anatomy.vertebrae import vertebra_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray


class Region(StrEnum):
    """Part of the spine; `WHOLE` is all of it together."""

    WHOLE = "whole"
    CERVICAL = "cervical"
    THORACIC = "thoracic"
    LUMBAR = "lumbar"


_REGION_OF_VERTEBRA: dict[int, Region] = {
    **dict.fromkeys(range(1, 8), Region.CERVICAL),
    **dict.fromkeys((*range(8, 20), T13_INSTANCE), Region.THORACIC),
    **dict.fromkeys(range(20, 26), Region.LUMBAR),
}


def region_of(label: int) -> Region | None:
    """Region of an instance label X, 100 + X or 200 + X with X by level (VerSe: 1 = C1).

    Parameters
    ----------
    label : int
        A disc and an endplate belong to their vertebra, the one above a disc.

    Returns
    -------
    Region or None
        None for the sacrum and for labels of no vertebra: they count in the whole only.

    Examples
    --------
    >>> region_of(107), region_of(28)
    (<Region.CERVICAL: 'cervical'>, <Region.THORACIC: 'thoracic'>)
    """
    try:
        return _REGION_OF_VERTEBRA.get(vertebra_of(label))
    except KeyError:
        return None


def centres_mm(
    labels_zyx: NDArray[np.integer], wanted: Iterable[int], affine_lps: NDArray[np.float64]
) -> dict[int, NDArray[np.float64]]:
    """Centre of mass of some labels in mm, LPS.

    Parameters
    ----------
    labels_zyx : (Z, Y, X) ndarray
        Instance map.
    wanted : iterable of int
        Labels that occur in it.
    affine_lps : (4, 4) ndarray
        Index (k, j, i, 1) to LPS mm.

    Returns
    -------
    dict
        Label to (3,) ndarray.
    """
    numbers = list(wanted)
    if not numbers:
        return {}
    centres = np.asarray(center_of_mass(np.ones(labels_zyx.shape), labels_zyx, numbers))
    placed = centres @ affine_lps[:3, :3].T + affine_lps[:3, 3]
    return dict(zip(numbers, placed, strict=True))


def nearest(
    position_mm: NDArray[np.float64], centres: Mapping[int, NDArray[np.float64]]
) -> int | None:
    """Label of the nearest centre; None where there is none.

    Parameters
    ----------
    position_mm : (3,) ndarray
        LPS.
    centres : mapping
        From `centres_mm`.
    """
    if not centres:
        return None
    return min(centres, key=lambda label: float(np.linalg.norm(centres[label] - position_mm)))

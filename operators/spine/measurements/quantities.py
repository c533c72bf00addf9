"""A value that was measured, or the reason why there is none."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Reason(StrEnum):
    """Why a measure has no value."""

    CUT_BY_IMAGE_BORDER = "cut_by_image_border"
    NOT_PRESENT = "structure_not_present"
    SURFACE_NOT_FOUND = "surface_not_found"
    NO_NEIGHBOUR = "neighbour_not_measured"
    BACKWARD_SLIP = "graded_forward_only"
    OUTSIDE_PLAUSIBLE_RANGE = "outside_plausible_range"
    LEVELS_UNKNOWN = "levels_unknown"
    LEVEL_NOT_MEASURED = "level_not_measured"
    SLICES_TOO_THICK = "slices_too_thick"
    TOO_FEW_VERTEBRAE = "too_few_vertebrae"
    WITHHELD = "result_withheld"


Quantity = float | Reason
"""In the unit of its measure (`operators.spine.measurements.definitions`)."""


def combined(function: Callable[..., float], *values: Quantity) -> Quantity:
    """Compute from several quantities.

    Parameters
    ----------
    function : callable
        Takes as many floats as there are values.
    *values : float or Reason
        Operands.

    Returns
    -------
    float or Reason
        The first reason among the values, if there is one.

    Examples
    --------
    >>> combined(max, 1.0, 2.0)
    2.0
    >>> str(combined(max, 1.0, Reason.NOT_PRESENT))
    'structure_not_present'
    """
    known = []
    for value in values:
        if isinstance(value, Reason):
            return value
        known.append(value)
    return float(function(*known))

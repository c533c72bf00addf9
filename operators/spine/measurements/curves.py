"""Slips between two vertebrae, and angles of the spine's curves."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import SACRUM_INSTANCE
from operators.spine.measurements.quantities import Quantity, Reason, combined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from operators.spine.measurements.bodies import Shape
    from operators.spine.measurements.surfaces import EndSurface

    Numbers = NDArray[np.float64]

SACRUM_NAME: Final = "S1"
"""What the upper end of the sacrum counts as among level names."""

THICKEST_SLICES_MM: Final = 2.0
"""Of sagittal slices: thicker ones do not show how a body leans to the side."""

FEWEST_FOR_COBB: Final = 3

Lines = tuple["Numbers", "Numbers"]


def slip_mm(upper: EndSurface, lower: EndSurface) -> float:
    """How far an upper vertebra stands in front of the next one.

    Parameters
    ----------
    upper : EndSurface
        Lower end of the upper vertebra.
    lower : EndSurface
        Upper end of the lower vertebra or the sacrum.

    Returns
    -------
    float
        Distance of the two posterior points along the line that halves the angle of the two
        surfaces, mm; negative where the upper one stands behind.

    References
    ----------
    Frobin et al. 1997, Clin Biomech 12 Suppl 1:S1: displacement along the bisector.
    """
    halfway = upper.direction + lower.direction
    halfway = halfway / np.linalg.norm(halfway)
    return float((lower.posterior - upper.posterior) @ halfway)


def sagittal_tilt_degrees(surface: EndSurface) -> float:
    """How far a surface rises from front to back, in the patient's sagittal plane, degrees."""
    _, posterior, superior = surface.direction
    return float(np.degrees(np.arctan2(superior, posterior)))


def curve_degrees(surfaces: Mapping[str, EndSurface | Reason], curve: tuple[str, str]) -> Quantity:
    """Angle between two end surfaces.

    Parameters
    ----------
    surfaces : mapping
        By name, such as ``"L1 superior"``; empty where no level is known.
    curve : (str, str)
        Both names. The angle is the second surface's tilt minus the first one's.

    Returns
    -------
    float or Reason
        ``levels_unknown``; ``level_not_measured`` where one of both is not in the image or could
        not be measured.
    """
    if not surfaces:
        return Reason.LEVELS_UNKNOWN
    tilts: list[Quantity] = []
    for name in curve:
        surface = surfaces.get(name, Reason.LEVEL_NOT_MEASURED)
        tilts.append(
            Reason.LEVEL_NOT_MEASURED
            if isinstance(surface, Reason)
            else sagittal_tilt_degrees(surface)
        )
    return combined(lambda first, second: second - first, *tilts)


def named_surfaces(
    shapes: Mapping[int, Shape | Reason],
    sacrum: EndSurface | Reason,
    names: Mapping[int, str] | None,
) -> dict[str, EndSurface | Reason]:
    """End surfaces by level name.

    Parameters
    ----------
    shapes : mapping
        Bodies by vertebra id.
    sacrum : EndSurface or Reason
        Its upper end.
    names : mapping or None
        Level name of every vertebra id whose level is known from evidence.

    Returns
    -------
    dict
        ``"<level> superior"`` and ``"<level> inferior"``, ``"S1 superior"`` for the sacrum.
    """
    if not names:
        return {}
    found: dict[str, EndSurface | Reason] = {f"{SACRUM_NAME} superior": sacrum}
    for number, shape in shapes.items():
        name = names.get(number)
        if name is None or number == SACRUM_INSTANCE:
            continue
        upper, lower = (
            (shape, shape) if isinstance(shape, Reason) else (shape.superior, shape.inferior)
        )
        found[f"{name} superior"], found[f"{name} inferior"] = upper, lower
    return found


def coronal_cobb(lines: Mapping[int, Lines]) -> tuple[float, int, int] | Reason:
    """Largest angle to the side between the upper end of one body and the lower end of another.

    Parameters
    ----------
    lines : mapping
        Directions of the upper and lower end of every body from right to left, LPS, from head to
        foot.

    Returns
    -------
    (float, int, int) or Reason
        Angle in degrees, upper and lower end vertebra; ``too_few_vertebrae`` below 3.
    """
    if len(lines) < FEWEST_FOR_COBB:
        return Reason.TOO_FEW_VERTEBRAE
    tilts = {number: [_coronal_tilt(line) for line in both] for number, both in lines.items()}
    angle, upper, lower = max(
        (abs(tilts[upper][0] - tilts[lower][1]), upper, lower)
        for upper, lower in combinations(tilts, 2)
    )
    return angle, upper, lower


def _coronal_tilt(direction: Numbers) -> float:
    left, _, superior = direction
    return float(np.degrees(np.arctan2(superior, left)))

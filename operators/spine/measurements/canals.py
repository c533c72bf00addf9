"""Canal and cord in planes across the canal: diameter from front to back, and area.

The plane stands on the canal's own axis there, not on the scanner's. Areas and diameters are
integrals of the interpolated mask, mean over a few planes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.imaging.volume import spacing_of
from operators.spine.measurements.quantities import Quantity, Reason
from operators.spine.measurements.sampling import HALF, Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.measurements.sampling import Extent, PlacedMask

    Numbers = NDArray[np.float64]

PLANES_MM: Final = np.array([-1.0, 0.0, 1.0])
"""Of one level: thinner than a disc, thicker than a voxel."""

AXIS_MM: Final = 10.0
"""Half the length over which the canal's direction is taken."""

NEAREST_MM: Final = 60.0
"""Canal further than this from the middle of a body is not its own."""

REACH_MM: Final = 26.0
"""To all sides of the canal's middle; the widest canals measure 30 mm across."""

MIDDLE_MM: Final = np.array([-1.5, -0.75, 0.0, 0.75, 1.5])
"""Where a diameter is taken: beside the middle of the structure."""

STEP_MM: Final = 0.75
FEWEST_VOXELS: Final = 8

FEWEST_SLICES: Final = 3.5
"""Width of a section that gives an area, in slices: below, the median error exceeds 5 %
(`tests.benchmarks.measurements`)."""


@dataclass(frozen=True, slots=True)
class CrossSection:
    """Canal or cord at one level.

    Attributes
    ----------
    diameter_mm : float or Reason
        From front to back, in the middle.
    area_mm2 : float or Reason
        Of the section across the canal.
    """

    diameter_mm: Quantity
    area_mm2: Quantity

    @classmethod
    def without(cls, reason: Reason) -> CrossSection:
        """Neither could be measured."""
        return cls(reason, reason)


def canal_frame(frame: Frame, canal_lps: Numbers) -> Frame | Reason:
    """Frame across the canal at the height of a body or disc.

    Parameters
    ----------
    frame : Frame
        Of the body or disc.
    canal_lps : (N, 3) ndarray
        Voxels of canal and cord.

    Returns
    -------
    Frame or Reason
        Origin in the middle of the canal, ``up`` along it.
    """
    there = frame.coordinates(canal_lps)
    near = there[(np.abs(there[:, 0]) < AXIS_MM) & (np.hypot(*there[:, 1:].T) < NEAREST_MM)]
    if len(near) < FEWEST_VOXELS or not (near[:, 0].min() < 0.0 < near[:, 0].max()):
        return Reason.NOT_PRESENT
    design = np.stack([np.ones(len(near)), near[:, 0]], axis=1)
    (middle, slope), *_ = np.linalg.lstsq(design, near[:, 1:], rcond=None)
    up = frame.up + slope[0] * frame.back + slope[1] * frame.left
    return Frame.along(frame.at(0.0, *middle.tolist()).origin, up, frame.back)


def cross_section(
    mask: PlacedMask, across: Frame, extent: Extent, *, as_ellipse: bool
) -> CrossSection:
    """Measure a structure in the canal at one level.

    Parameters
    ----------
    mask : PlacedMask
        Canal with cord, or cord.
    across : Frame
        As from `canal_frame`.
    extent : Extent
        Of the image.
    as_ellipse : bool
        Take the diameter of the ellipse with the section's spread, which all slices decide, instead
        of the chord in the middle: for what few slices meet.

    Returns
    -------
    CrossSection
        ``structure_not_present``; ``cut_by_image_border`` where the structure reaches the border of
        the image at this level; no area but ``slices_too_thick`` where it is under
        `FEWEST_SLICES` wide.
    """
    side = _side()
    places = across.points(PLANES_MM[:, None, None], side[None, :, None], side)
    occupancy = mask.at(places)
    inside = occupancy >= HALF
    if np.count_nonzero(inside.any(axis=(1, 2))) < len(PLANES_MM):
        return CrossSection.without(Reason.NOT_PRESENT)
    if not extent.holds(places[inside]).all():
        return CrossSection.without(Reason.CUT_BY_IMAGE_BORDER)
    to_back, to_left = (_Spread.of(occupancy.sum(axis=axes)) for axes in ((0, 2), (0, 1)))
    slices = to_left.width_mm / spacing_of(extent.affine_lps)[0]
    area: Quantity = float(occupancy.sum()) * STEP_MM**2 / len(PLANES_MM)
    return CrossSection(
        to_back.width_mm if as_ellipse else _chord(mask, across, to_left.middle_mm),
        area if slices >= FEWEST_SLICES else Reason.SLICES_TOO_THICK,
    )


@dataclass(frozen=True, slots=True)
class _Spread:
    """Middle of a section along one direction, and the diameter of the ellipse that spreads so."""

    middle_mm: float
    width_mm: float

    @classmethod
    def of(cls, weights: NDArray[np.float32]) -> _Spread:
        side, total = _side(), weights.sum(dtype=np.float64)
        middle = float((weights * side).sum() / total)
        variance = float((weights * (side - middle) ** 2).sum() / total)
        return cls(middle, 4.0 * variance**0.5)  # an ellipse's standard deviation: a quarter


def _chord(mask: PlacedMask, across: Frame, middle_mm: float) -> float:
    """Mean chord from front to back beside the middle."""
    lines = across.points(PLANES_MM[:, None, None], _side()[None, :, None], middle_mm + MIDDLE_MM)
    return float(mask.at(lines).sum(axis=1).mean()) * STEP_MM


def _side() -> Numbers:
    return np.arange(-REACH_MM, REACH_MM + STEP_MM, STEP_MM)

"""Shape of every vertebral body, every disc and the upper end of the sacrum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.spine.measurements.quantities import Reason
from operators.spine.measurements.sampling import Frame
from operators.spine.measurements.surfaces import (
    BAND,
    EndSurface,
    Window,
    coronal_direction,
    end_surface,
    slope_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from operators.spine.measurements.sampling import PlacedMask

    Numbers = NDArray[np.float64]

UPRIGHT: Final = np.array([0.0, 0.0, 1.0])
"""To the patient's head, LPS."""

TURNS: Final = 2
"""How often a frame is turned to its structure; the second time changes it by under 1 degree."""

RIM_SHARE: Final = 0.15
"""Depth of a body is taken this share of its height inside the end surface, above the waist."""

DISC_MARGIN: Final = 0.1
"""A disc's outer tenth bulges over the rims of the bodies and thins out."""

LEVEL_MM: Final = 8.0
"""Half the thickness of the slab that says where the canal lies behind a body."""

NEAR_CANAL_MM: Final = 60.0
STRAIGHT_BACK: Final = 0.7
"""Cosine of 45 degrees: a canal further to the side of a body is not believed."""

SACRUM_BELOW_MM: Final = 25.0
"""How far below the lowest body the sacrum may begin."""

SACRUM_AGAIN_MM: Final = (-10.0, 10.0)
"""Around the surface, once it is found."""

SACRUM_REACH: Final = 0.75
"""To front and to back, as a share of the lowest body's depth."""

SACRUM_RIM_MM: Final = 3.0
WIDTH_PERCENTILES: Final = (2.0, 98.0)
SIDE_SHARE: Final = 0.35
"""Reach to the sides for the coronal direction, as a share of the width: inside the uncinate
processes."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A body or a disc.

    Attributes
    ----------
    frame : Frame
        Origin in its middle, ``up`` halves the angle of its end surfaces.
    superior, inferior : EndSurface
        In its mid-sagittal plane.
    width_mm : float
        From side to side.
    """

    frame: Frame
    superior: EndSurface
    inferior: EndSurface
    width_mm: float

    @property
    def heights_mm(self) -> tuple[float, float, float]:
        """Distance of the end surfaces in front, in the middle and behind."""
        upper, lower = self.superior, self.inferior
        anterior, middle, posterior = (
            float(np.linalg.norm(a - b))
            for a, b in (
                (upper.anterior, lower.anterior),
                (upper.middle, lower.middle),
                (upper.posterior, lower.posterior),
            )
        )
        return anterior, middle, posterior


def starting_axes(centres: Mapping[int, Numbers]) -> dict[int, Numbers]:
    """Direction to the head at every body, from its neighbours' centres.

    Parameters
    ----------
    centres : mapping
        Centre of every body, LPS mm, from head to foot.

    Returns
    -------
    dict
        Unit vector per body; the patient's own axis where there is only one.
    """
    order = list(centres)
    axes = {}
    for place, number in enumerate(order):
        above, below = order[max(place - 1, 0)], order[min(place + 1, len(order) - 1)]
        axis = centres[above] - centres[below]
        length = float(np.linalg.norm(axis))
        axes[number] = axis / length if length > 0 else UPRIGHT
    return axes


def shape_of(mask: PlacedMask, up: Numbers, canal_lps: Numbers, margin: float) -> Shape | Reason:
    """Measure a body or a disc.

    Parameters
    ----------
    mask : PlacedMask
        The structure.
    up : (3,) ndarray
        About its axis, to the head.
    canal_lps : (N, 3) ndarray
        Voxels of canal and cord: what is behind, and where the middle is.
    margin : float
        Of `Window`.

    Returns
    -------
    Shape or Reason
        ``cut_by_image_border``: above, below, in front or behind; or at a side where no canal says
        where the middle is. ``surface_not_found``: too small or too odd.
    """
    if any(mask.cut_zyx[1:]):
        return Reason.CUT_BY_IMAGE_BORDER
    voxels = mask.voxels_lps()
    frame = _facing_the_canal(voxels, up, canal_lps, is_cut=mask.cut_zyx[0])
    if isinstance(frame, Reason):
        return frame
    for _ in range(TURNS):
        window = _window(frame, voxels, margin)
        slopes = [slope_of(mask, frame, side, window) for side in (1, -1)]
        if not np.isfinite(slopes).all():
            return Reason.SURFACE_NOT_FOUND
        frame = frame.pitched(float(np.mean(slopes)))
    window = _window(frame, voxels, margin)
    upper, lower = (end_surface(mask, frame, side, window) for side in (1, -1))
    if upper is None or lower is None:
        return Reason.SURFACE_NOT_FOUND
    return Shape(frame, upper, lower, window.half_width / BAND)


def _facing_the_canal(
    voxels: Numbers, up: Numbers, canal_lps: Numbers, *, is_cut: bool
) -> Frame | Reason:
    """Frame in the middle of a structure whose ``back`` points at the canal behind it."""
    frame = Frame.along(voxels.mean(axis=0), up, np.array([0.0, 1.0, 0.0]))
    there = frame.coordinates(canal_lps)
    near = (np.abs(there[:, 0]) < LEVEL_MM) & (np.abs(there[:, 1]) < NEAR_CANAL_MM)
    canal = there[near]
    if is_cut:  # the centre of what is left is not the middle
        if not len(canal):
            return Reason.CUT_BY_IMAGE_BORDER
        return frame.at(0.0, 0.0, float(canal[:, 2].mean()))
    if not len(canal):
        return frame
    behind, aside = canal[:, 1:].mean(axis=0)
    if behind < STRAIGHT_BACK * float(np.hypot(behind, aside)):
        return frame
    return Frame.along(frame.origin, frame.up, behind * frame.back + aside * frame.left)


def _window(frame: Frame, voxels: Numbers, margin: float) -> Window:
    """Where the end surfaces of a whole structure lie."""
    up, back, left = np.abs(frame.coordinates(voxels)).max(axis=0) + 2.0
    low, high = np.percentile(frame.coordinates(voxels)[:, 2], WIDTH_PERCENTILES)
    median_up = float(np.median(np.abs(frame.coordinates(voxels)[:, 0])))
    half = max(float(high - low) * BAND, 1.0)
    # Half of a body's voxels lie within a quarter of its height on either side.
    return Window(
        outward=(-up, float(up)),
        reach=float(back),
        half_width=min(half, float(left)),
        rim=4.0 * median_up * RIM_SHARE,
        margin=margin,
    )


def sacral_surface(mask: PlacedMask, lowest: Shape) -> EndSurface | Reason:
    """Upper end surface of the sacrum, below the lowest vertebra.

    Parameters
    ----------
    mask : PlacedMask
        Sacrum.
    lowest : Shape
        Body above it.

    Returns
    -------
    EndSurface or Reason
        ``surface_not_found`` where the sacrum does not follow within `SACRUM_BELOW_MM`.
    """
    surface, left = lowest.inferior, lowest.frame.left
    window = Window(
        outward=(-SACRUM_BELOW_MM, 3.0),
        reach=SACRUM_REACH * surface.depth_mm,
        half_width=lowest.width_mm * BAND,
        rim=SACRUM_RIM_MM,
    )
    for _ in range(TURNS):
        frame = Frame.along(surface.middle, np.cross(left, surface.direction), surface.direction)
        found = end_surface(mask, frame, 1, window)
        if found is None:
            return Reason.SURFACE_NOT_FOUND
        surface = found
        window = replace(window, outward=SACRUM_AGAIN_MM)
    return surface


def coronal_lines(mask: PlacedMask, shape: Shape) -> tuple[Numbers, Numbers] | None:
    """Directions of both end surfaces from right to left, LPS; None where one is missing."""
    voxels = mask.voxels_lps()
    window = Window(
        outward=_window(shape.frame, voxels, 0.0).outward,
        reach=SIDE_SHARE * shape.width_mm,
        half_width=shape.superior.depth_mm * BAND,
        rim=0.0,
    )
    upper, lower = (coronal_direction(mask, shape.frame, side, window) for side in (1, -1))
    return None if upper is None or lower is None else (upper, lower)

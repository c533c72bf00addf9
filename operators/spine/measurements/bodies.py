"""Shape of every vertebral body, every disc and the upper end of the sacrum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.spine.measurements.frames import frame_of
from operators.spine.measurements.quantities import Quantity, Reason
from operators.spine.measurements.sampling import Frame
from operators.spine.measurements.surfaces import (
    BAND,
    EndSurface,
    Window,
    coronal_direction,
    end_surface,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.measurements.sampling import PlacedMask

    Numbers = NDArray[np.float64]

TURNS: Final = 1
"""How often a frame is turned to the end surfaces that were found in it."""

HIGHEST_LIP_MM: Final = 6.0
"""What reaches further beyond an end surface than a lipped rim or an uncinate process is no part
of it."""

SACRUM_BELOW_MM: Final = 25.0
"""How far below the lowest body the sacrum may begin."""

SACRUM_AGAIN_MM: Final = (-10.0, 10.0)
"""Around the surface, once it is found."""

SACRUM_REACH: Final = 0.75
"""To front and to back, as a share of the lowest body's depth."""

SACRUM_RIM_MM: Final = 3.0
NEAR: Final = 0.15
"""Within what `operators.spine.measurements.surfaces.NEAR_RIM` fits: nothing is drawn out there."""

WIDTH_PERCENTILES: Final = (2.0, 98.0)
SIDE_SHARE: Final = 0.35
"""Reach to the sides for the coronal direction, as a share of the width: inside the uncinate
processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What is known of a kind of structure.

    Attributes
    ----------
    rim : float
        How far inside an end surface the depth is taken, as a share of the height.
    near : float
        Where a surface is read near its rims: share of the depth inside its ends.
    reaches_rim : bool
        Whether heights in front and behind are at the ends, or where the surface is read.
    tallest : float
        Largest height of a single one, as a share of its depth.
    """

    rim: float
    near: float
    reaches_rim: bool
    tallest: float


BODY: Final = Build(rim=0.15, near=NEAR, reaches_rim=True, tallest=1.6)
"""Depth above the waist. A taller one is C2 with its dens, or two that have grown together: the
tallest typical body, C3, has 0.9 (`app.research.synthetic.anatomy_tables`)."""

DISC: Final = Build(rim=0.5, near=0.1, reaches_rim=False, tallest=np.inf)
"""Depth half way between the surfaces. Its outer tenth bulges over the rims and thins out."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A body or a disc.

    Attributes
    ----------
    frame : Frame
        Origin in its middle, ``up`` halves the angle of its end surfaces.
    superior, inferior : EndSurface or Reason
        In its mid-sagittal plane; at least one was found. C2 has no upper one.
    width_mm : float
        From side to side.
    """

    frame: Frame
    superior: EndSurface | Reason
    inferior: EndSurface | Reason
    width_mm: float

    @property
    def heights_mm(self) -> tuple[Quantity, Quantity, Quantity]:
        """Distance of the end surfaces in front, in the middle and behind."""
        upper, lower = self.superior, self.inferior
        if isinstance(upper, Reason) or isinstance(lower, Reason):
            return (Reason.SURFACE_NOT_FOUND,) * 3
        anterior, middle, posterior = (
            float(np.linalg.norm(a - b))
            for a, b in (
                (upper.anterior, lower.anterior),
                (upper.middle, lower.middle),
                (upper.posterior, lower.posterior),
            )
        )
        return anterior, middle, posterior


def shape_of(
    mask: PlacedMask,
    up: Numbers,
    canal_lps: Numbers,
    build: Build,
    *,
    with_plates: PlacedMask | None = None,
) -> Shape | Reason:
    """Measure a body or a disc.

    Parameters
    ----------
    mask : PlacedMask
        The structure.
    up : (3,) ndarray
        About its axis, to the head.
    canal_lps : (N, 3) ndarray
        Voxels of canal and cord: what is behind, and where the middle is.
    build : Build
        What kind of structure.
    with_plates : PlacedMask or None
        The body with its end plates, where it has any.

    Returns
    -------
    Shape or Reason
        ``cut_by_image_border``: above, below, in front or behind; or at a side where no canal says
        where the middle is. ``surface_not_found``: too small or too odd.
    """
    if any(mask.cut_zyx[1:]):
        return Reason.CUT_BY_IMAGE_BORDER
    voxels = mask.voxels_lps()
    frame = frame_of(voxels, up, canal_lps, is_cut=mask.cut_zyx[0])
    if isinstance(frame, Reason):
        return frame
    for _ in range(TURNS):
        upper, lower, width = _ends(mask, frame, voxels, build)
        found = [end.direction for end in (upper, lower) if not isinstance(end, Reason)]
        if not found:
            return Reason.SURFACE_NOT_FOUND
        back = np.sum(found, axis=0)
        frame = Frame.along(frame.origin, np.cross(frame.left, back), back)
    upper, lower, width = _ends(mask, frame, voxels, build, with_plates=with_plates)
    if isinstance(upper, Reason) and isinstance(lower, Reason):
        return Reason.SURFACE_NOT_FOUND
    return Shape(frame, upper, lower, width)


def _ends(
    mask: PlacedMask,
    frame: Frame,
    voxels: Numbers,
    build: Build,
    *,
    with_plates: PlacedMask | None = None,
) -> tuple[EndSurface | Reason, EndSurface | Reason, float]:
    """Both end surfaces, and the width of the structure, mm."""
    window = _window(frame, voxels, build)
    upper, lower = (_end((mask, with_plates), frame, side, (window, voxels)) for side in (1, -1))
    if not (isinstance(upper, Reason) or isinstance(lower, Reason)):
        height = float(np.linalg.norm(upper.middle - lower.middle))
        if height > build.tallest * max(upper.depth_mm, lower.depth_mm):
            upper = Reason.SURFACE_NOT_FOUND
    return upper, lower, window.half_width / BAND


def _end(
    masks: tuple[PlacedMask, PlacedMask | None],
    frame: Frame,
    side: int,
    given: tuple[Window, Numbers],
) -> EndSurface | Reason:
    """End surface on which nothing stands, such as a dens or a neighbour grown together with it."""
    (mask, with_plates), (window, voxels) = masks, given
    found = end_surface(mask, frame, side, window, with_plates=with_plates)
    if found is None:
        return Reason.SURFACE_NOT_FOUND
    rims = frame.coordinates(np.stack([found.anterior, found.middle, found.posterior]))
    near = frame.coordinates(voxels)
    near = near[np.abs(near[:, 2]) <= 2.0 * window.half_width]
    beyond = float((side * near[:, 0]).max(initial=-np.inf) - (side * rims[:, 0]).max())
    return found if beyond <= HIGHEST_LIP_MM else Reason.SURFACE_NOT_FOUND


def _window(frame: Frame, voxels: Numbers, build: Build) -> Window:
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
        rim=4.0 * median_up * build.rim,
        near=build.near,
        reaches_rim=build.reaches_rim,
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
    if isinstance(surface, Reason):
        return Reason.NO_NEIGHBOUR
    window = Window(
        outward=(-SACRUM_BELOW_MM, 3.0),
        reach=SACRUM_REACH * surface.depth_mm,
        half_width=lowest.width_mm * BAND,
        rim=SACRUM_RIM_MM,
        near=NEAR,
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
    window = _window(shape.frame, voxels, BODY)
    window = replace(
        window,
        reach=SIDE_SHARE * shape.width_mm,
        half_width=2.0 * window.reach * BAND,
    )
    upper, lower = (coronal_direction(mask, shape.frame, side, window) for side in (1, -1))
    return None if upper is None or lower is None else (upper, lower)

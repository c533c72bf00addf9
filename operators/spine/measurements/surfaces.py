"""End surfaces of bodies, discs and the sacrum: three points, a line, a depth.

All are taken in the mid-sagittal plane of the structure, over a band of its middle, as in six-point
morphometry (Hurxthal 1968; Genant et al. 1993, J Bone Miner Res 8:1137): in front, in the middle
and behind on each end surface. The points at the rims lie on the line through two points further
in, each read from a line through the surface around it, so that neither a rounded nor a lipped
rim decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.spine.measurements.profiles import LINE, Profile
from operators.spine.measurements.sampling import first_exit, outermost

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.measurements.sampling import Frame, PlacedMask

    Numbers = NDArray[np.float64]

STEP_MM: Final = 0.5
"""Between samples along a surface and across it."""

BAND: Final = 1 / 6
"""Half the width of the mid-sagittal band, as a share of the structure's width."""

BAND_SAMPLES: Final = 7

NEAR_RIM: Final = (0.08, 0.36)
"""Part of the depth whose line gives the point near a rim."""

PLATE_SHARE: Final = 0.25
"""Of an end plate's thickness, what counts to the body: about there end the bodies that readers
draw. Chosen on six SPIDER subjects, VB2 in view (``tests.benchmarks.measured_spider``)."""

MIDDLE: Final = (0.42, 0.58)

INSIDE: Final = (0.3, 0.7)
"""Part of the whole structure's extent that lies on the surface, however the structure is wedged or
turned; further out a profile may run down its front or its back."""

STEEPEST: Final = 0.6
"""Slope of an end surface against its frame. Half of a height lost in front makes 0.4 between both
surfaces; steeper is the side of a dens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Where to look for an end surface, in mm of a frame.

    Attributes
    ----------
    outward : (float, float)
        From where to where, away from the frame's origin.
    reach : float
        To front and to back of the origin.
    half_width : float
        Of the mid-sagittal band.
    rim : float
        How far inside the surface its front and back ends are looked for.
    near : float
        Where the surface is read near its rims: share of the depth inside the ends.
    reaches_rim : bool
        Whether the points at the rims lie at the ends, on the line through those, or on those.
    """

    outward: tuple[float, float]
    reach: float
    half_width: float
    rim: float
    near: float
    reaches_rim: bool = True


@dataclass(frozen=True, slots=True)
class EndSurface:
    """One end surface in the mid-sagittal plane.

    Attributes
    ----------
    anterior, middle, posterior : (3,) ndarray
        Points on it, LPS mm.
    direction : (3,) ndarray
        Unit vector along it from front to back, LPS.
    depth_mm : float
        From its front to its back end.
    """

    anterior: Numbers
    middle: Numbers
    posterior: Numbers
    direction: Numbers
    depth_mm: float


def end_surface(
    mask: PlacedMask,
    frame: Frame,
    side: int,
    window: Window,
    *,
    with_plates: PlacedMask | None = None,
) -> EndSurface | None:
    """Find the upper or lower end surface of a structure.

    Parameters
    ----------
    mask : PlacedMask
        The structure.
    frame : Frame
        Origin inside or near it, ``up`` about normal to the surface.
    side : int
        1 = upper, -1 = lower.
    window : Window
        Where to look.
    with_plates : PlacedMask or None
        The structure with its end plates: `PLATE_SHARE` of them counts to it.

    Returns
    -------
    EndSurface or None
        None where the mask has no such surface there, or one that is not smooth.
    """
    profile = _profile(mask, frame, side, window)
    line = profile.line(*profile.part(INSIDE))
    if not np.isfinite(line).all():
        return None
    front, behind = _ends(mask, frame, (side, *line), window)
    if not np.isfinite([front, behind]).all():
        return None
    own = profile.between(front, behind)
    depth = behind - front
    outer = own
    if with_plates is not None:
        outer = own.towards(_profile(with_plates, frame, side, window), PLATE_SHARE)
    positions, heights = _three_points(outer, front, depth, window)
    slope = own.line(front + LINE[0] * depth, front + LINE[1] * depth)[0]
    if not np.isfinite([*heights, slope]).all() or abs(slope) > STEEPEST or not own.is_smooth:
        return None
    anterior, middle, posterior = frame.points(side * heights, positions, np.zeros(3))
    direction = frame.back + side * slope * frame.up
    direction = direction / np.linalg.norm(direction)
    return EndSurface(anterior, middle, posterior, direction, depth)


def coronal_direction(mask: PlacedMask, frame: Frame, side: int, window: Window) -> Numbers | None:
    """Find the direction of an end surface from right to left.

    Parameters
    ----------
    mask, frame, side
        As for `end_surface`.
    window : Window
        ``reach`` to the sides, ``half_width`` of the band to front and back.

    Returns
    -------
    (3,) ndarray or None
        Unit vector, LPS; None where the mask has no such surface there.
    """
    profile = _profile(mask, _sideways(frame), side, window)
    if not profile.is_smooth:
        return None
    slope = profile.line(*profile.part(INSIDE))[0]
    direction = frame.left + side * slope * frame.up
    return np.asarray(direction / np.linalg.norm(direction))


def _sideways(frame: Frame) -> Frame:
    """Frame whose ``back`` is the structure's left."""
    return type(frame)(frame.origin, frame.up, frame.left, -frame.back)


def _profile(mask: PlacedMask, frame: Frame, side: int, window: Window) -> Profile:
    """Unbroken part of a surface around the middle of the window, mean over the band."""
    outward = np.arange(window.outward[0], window.outward[1] + STEP_MM, STEP_MM)
    back = np.arange(-window.reach, window.reach + STEP_MM, STEP_MM)
    occupancy = mask.at(
        frame.points(side * outward[:, None, None], back[None, :, None], _band(window))
    )
    columns = outermost(occupancy, outward)
    found = np.isfinite(columns)
    enough = np.count_nonzero(found, axis=1) * 2 > BAND_SAMPLES
    run = _run_around_the_middle(enough)
    sums = np.where(found, columns, 0.0).sum(axis=1)[run]
    return Profile(back[run], sums / np.count_nonzero(found, axis=1)[run])


def _band(window: Window) -> Numbers:
    return np.linspace(-window.half_width, window.half_width, BAND_SAMPLES)


def _run_around_the_middle(valid: NDArray[np.bool_]) -> slice:
    """Unbroken run of True that holds the entry nearest the middle."""
    places = np.flatnonzero(valid)
    if not places.size:
        return slice(0, 0)
    nearest = int(places[np.abs(places - (len(valid) - 1) / 2).argmin()])
    before, after = valid[: nearest + 1][::-1], valid[nearest:]
    start = nearest + 1 - (len(before) if before.all() else int(before.argmin()))
    stop = nearest + (len(after) if after.all() else int(after.argmin()))
    return slice(start, stop)


def _ends(
    mask: PlacedMask, frame: Frame, line: tuple[int, float, float], window: Window
) -> Numbers:
    """Front and back end of the structure along a line inside the surface."""
    side, slope, intercept = line
    ends = []
    for sign in (-1.0, 1.0):
        back = sign * np.arange(0.0, window.reach + STEP_MM, STEP_MM)
        inside = np.array([0.75, 1.0, 1.25])[None, :, None] * window.rim
        height = (slope * back + intercept)[:, None, None] - inside
        occupancy = mask.at(frame.points(side * height, back[:, None, None], _band(window)))
        found = first_exit(occupancy, back)
        is_found = np.isfinite(found)
        ends.append(float(found[is_found].mean()) if is_found.any() else np.nan)
    return np.array(ends)


def _three_points(
    profile: Profile, front: float, depth: float, window: Window
) -> tuple[Numbers, Numbers]:
    """Where a surface is read from front to back, and its height there."""
    near, far = NEAR_RIM
    behind, inside = front + depth, window.near * depth
    positions = np.array([front + inside, front + depth / 2, behind - inside])
    lines = (
        profile.line(front + near * depth, front + far * depth),
        profile.line(behind - far * depth, behind - near * depth),
    )
    first, last = (
        slope * at + intercept for (slope, intercept), at in zip(lines, positions[::2], strict=True)
    )
    middle = profile.mean(front + MIDDLE[0] * depth, front + MIDDLE[1] * depth)
    if window.reaches_rim:
        rise = (last - first) * window.near / (1.0 - 2.0 * window.near)
        first, last = first - rise, last + rise
        positions = np.array([front, front + depth / 2, behind])
    return positions, np.array([first, middle, last])

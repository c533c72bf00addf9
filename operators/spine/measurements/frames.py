"""Which way a vertebra or a disc stands: up its own axis, back to its own canal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from operators.spine.measurements.quantities import Reason
from operators.spine.measurements.sampling import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

UPRIGHT: Final = np.array([0.0, 0.0, 1.0])
"""To the patient's head, LPS."""

BACKWARDS: Final = np.array([0.0, 1.0, 0.0])
"""To the patient's back, LPS."""

LEVEL_MM: Final = 8.0
"""Half the thickness of the slab that says where the canal lies behind a body."""

NEAR_CANAL_MM: Final = 60.0
"""Canal further than this from the middle of a body is not its own."""

STRAIGHT_BACK: Final = 0.7
"""Cosine of 45 degrees: a canal further to the side of a body is not believed."""

WIDEST_TURN: Final = 40
"""Degrees to either side; beyond 45 a square would fit lying on its side."""

TURN_STEP: Final = 2
RECTANGLE_PERCENTILES: Final = (2.0, 98.0)
RECTANGLE_POINTS: Final = 800
MIDDLE_PERCENT: Final = 35.0
"""Share of the voxels, nearest the middle, that the rectangle is fitted to."""


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


def frame_of(voxels: Numbers, up: Numbers, canal_lps: Numbers, *, is_cut: bool) -> Frame | Reason:
    """Frame in the middle of a body or a disc.

    Parameters
    ----------
    voxels : (N, 3) ndarray
        Of the structure, LPS mm.
    up : (3,) ndarray
        About its axis, to the head; up to 40 degrees off in the sagittal plane.
    canal_lps : (M, 3) ndarray
        Voxels of canal and cord.
    is_cut : bool
        Whether the image ends at its side, so that the centre of what is left is not the middle.

    Returns
    -------
    Frame or Reason
        ``back`` points at the canal. ``cut_by_image_border`` where neither the structure nor a
        canal says where the middle is.
    """
    frame = _facing_the_canal(voxels, up, canal_lps, is_cut=is_cut)
    return frame if isinstance(frame, Reason) else _squared_up(frame, voxels)


def _facing_the_canal(
    voxels: Numbers, up: Numbers, canal_lps: Numbers, *, is_cut: bool
) -> Frame | Reason:
    frame = Frame.along(voxels.mean(axis=0), up, BACKWARDS)
    there = frame.coordinates(canal_lps)
    near = (np.abs(there[:, 0]) < LEVEL_MM) & (np.abs(there[:, 1]) < NEAR_CANAL_MM)
    canal = there[near]
    if is_cut:
        if not len(canal):
            return Reason.CUT_BY_IMAGE_BORDER
        return frame.at(0.0, 0.0, float(canal[:, 2].mean()))
    if not len(canal):
        return frame
    behind, aside = canal[:, 1:].mean(axis=0)
    if behind < STRAIGHT_BACK * float(np.hypot(behind, aside)):
        return frame
    return Frame.along(frame.origin, frame.up, behind * frame.back + aside * frame.left)


def _squared_up(frame: Frame, voxels: Numbers) -> Frame:
    """Turn a frame in the sagittal plane until the structure fits the smallest rectangle.

    A body is about a rectangle there, a disc a flat one; the line through the neighbours' centres
    may be 30 degrees off where a vertebra has slipped.
    """
    up, back, left = frame.coordinates(voxels).T
    middle = np.abs(left) <= np.percentile(np.abs(left), MIDDLE_PERCENT)
    step = max(1, np.count_nonzero(middle) // RECTANGLE_POINTS)
    up, back = up[middle][::step], back[middle][::step]
    degrees = np.arange(-WIDEST_TURN, WIDEST_TURN + 1, TURN_STEP)
    slopes = np.tan(np.radians(degrees))[:, None]
    turned = np.stack([up - slopes * back, back + slopes * up])
    low, high = np.percentile(turned, RECTANGLE_PERCENTILES, axis=2)
    areas = np.prod(high - low, axis=0) / (1.0 + slopes[:, 0] ** 2)
    return frame.pitched(float(slopes[areas.argmin(), 0]))

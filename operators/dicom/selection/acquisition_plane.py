"""In which plane slices were acquired, told by the orientation cosines alone.

DICOM patient coordinates: +x left, +y posterior, +z superior (PS3.3 C.7.6.2.1.1). Whether the
slices form a regular volume is judged at assembly, not here.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from operators.dicom.headers.header_values import unreadable
from operators.dicom.reading.geometry import axes_in
from operators.dicom.selection.reasons import Reason, against, hint, in_favour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

_PLANES = ("sagittal", "coronal", "axial")
"""Plane whose normal runs along x, y, z."""

_SAGITTAL_SHARE = 0.5
_LOCALIZER_PLANES = 3
"""A series is sagittal if at least half of its slices are: one stray slice of a series must reach
assembly, which refuses it by name. Slices in three planes are a localizer, whatever their share."""


class Tilt(NamedTuple):
    """The plane a slice lies closest to, and how far its normal is from that plane's."""

    plane: str
    angle_deg: float


def slice_normal(header: Dataset) -> tuple[float, float, float] | None:
    """Give the unit normal of a slice in LPS, None where the orientation is not usable."""
    axes = axes_in(header)
    if axes is None:
        return None
    row, column = axes.tolist()
    x = row[1] * column[2] - row[2] * column[1]
    y = row[2] * column[0] - row[0] * column[2]
    z = row[0] * column[1] - row[1] * column[0]
    return x, y, z


def tilt_of(normal: tuple[float, float, float]) -> Tilt:
    """Name the closest of the three planes and the angle to it.

    Examples
    --------
    >>> tilt_of((1.0, 0.0, 0.0))
    Tilt(plane='sagittal', angle_deg=0.0)
    """
    share, plane = max((abs(part), plane) for part, plane in zip(normal, _PLANES, strict=True))
    return Tilt(plane, math.degrees(math.acos(min(1.0, share))))


def judge_plane(headers: Sequence[Dataset], *, max_obliquity_deg: float) -> tuple[Reason, ...]:
    """Judge whether the slices are sagittal.

    Parameters
    ----------
    headers : sequence of Dataset
        One per slice, at least one.
    max_obliquity_deg : float
        Largest angle between a slice's normal and the left-right axis.

    Returns
    -------
    tuple of Reason
        ``sagittal``, or ``axial``, ``coronal``, ``oblique``, ``orientation_missing``,
        ``unreadable_orientation`` (there, but six numbers of no orientation or none at all); with
        ``mixed_orientations`` where the slices differ (a hint if most are sagittal).
    """
    normals = [normal for header in headers if (normal := slice_normal(header)) is not None]
    if not normals:
        there = any(_says_orientation(header) for header in headers)
        name = "unreadable_orientation" if there else "orientation_missing"
        return (against(name, f"{len(headers)} slices without a valid one"),)
    named = [_named(tilt_of(normal), max_obliquity_deg) for normal in normals]
    names = Counter(name for name, _ in named)
    mixture = ", ".join(f"{count} {name}" for name, count in sorted(names.items()))
    if names["sagittal"] < _SAGITTAL_SHARE * len(headers) or len(names) >= _LOCALIZER_PLANES:
        others = sorted(name for name in names if name != "sagittal")
        mixed = (against("mixed_orientations", mixture),) if len(names) > 1 else ()
        return (*(against(name, _worst(name, named)) for name in others), *mixed)
    reasons = (in_favour("sagittal", _worst("sagittal", named)),)
    if names["sagittal"] == len(headers):
        return reasons
    return (*reasons, hint("mixed_orientations", mixture, speaks_for=False))


def is_of_several_planes(headers: Sequence[Dataset]) -> bool:
    """Whether slices lie closest to different ones of the three planes."""
    normals = [slice_normal(header) for header in headers]
    return len({tilt_of(normal).plane for normal in normals if normal is not None}) > 1


def _says_orientation(header: Dataset) -> bool:
    keyword = "ImageOrientationPatient"
    return keyword in unreadable(header) or header.get(keyword) is not None


def _named(tilt: Tilt, max_obliquity_deg: float) -> tuple[str, Tilt]:
    return (tilt.plane if tilt.angle_deg <= max_obliquity_deg else "oblique"), tilt


def _worst(name: str, named: Sequence[tuple[str, Tilt]]) -> str:
    """How far the slices of one name are tilted, for the reader."""
    worst = max((tilt for own, tilt in named if own == name), key=lambda tilt: tilt.angle_deg)
    return f"up to {worst.angle_deg:.0f} degrees off the {worst.plane} plane"

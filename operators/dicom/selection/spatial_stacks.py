"""Stations, tilted blocks and locators inside one series: which frames lie together.

A scanner may store several stacks in one series or one multi-frame object. They differ by Stack ID
or frame of reference, by orientation, or by where their planes lie in-plane. A hole along the
normal never parts a stack: it stays a missing slice, for assembly to refuse. Contrast plays no
part here (`operators.dicom.selection.stacks`). Why the rules are as they are:
``app/decisions/0013-several-stacks-in-one-series.md``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.dicom.identity.stack_identity import STATION_SHIFT_MM, StackIdentity
from operators.dicom.reading.geometry import (
    along_normal,
    axes_of,
    groups_along_normal,
    plane_of,
    position_of,
)
from operators.dicom.reading.regularity import MIN_SLICES, judge
from operators.dicom.selection.acquisition_plane import tilt_of
from operators.dicom.selection.in_plane import across, in_plane, linked, middle_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from operators.dicom.reading.geometry import ImagePlane
    from operators.dicom.reading.series import Frame

SAME_ORIENTATION = 0.02
"""Cosines of one stack differ by less: 1.1 degrees, more than two written decimals can."""

_STEP_TOLERANCE = 0.1
"""A frame 0.9 to 1.1 slice distances beyond the end of a stack continues it (as missing slices are
told, `operators.dicom.reading.regularity`)."""

_LITTLE_TILT = 0.996
"""Cosine of 5 degrees: planes set by hand; blocks meant to be tilted differ by more."""

_ON_LINE_MM = 1.0
_LOCALIZER_PLANES = 3
_HALF = 0.5
_TORN = frozenset({"missing_slice", "irregular_spacing", "shear"})
"""What `judge` says of a stack whose slices were taken away."""


@dataclass(frozen=True, slots=True)
class SpatialStack:
    """Frames that lie together.

    Attributes
    ----------
    frames : tuple of Frame
        In the order of the series.
    declared : str
        Stack ID and frame of reference where the series has several; empty where it has one.
    """

    frames: tuple[Frame, ...]
    declared: str = ""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The stacks of a series.

    Attributes
    ----------
    stacks : tuple of SpatialStack
        From head to foot; the whole series as one where nothing parts it beyond doubt.
    left_out : tuple of Frame
        Fewer than `MIN_SLICES` slices of another orientation beside whole stacks: locators.
    """

    stacks: tuple[SpatialStack, ...]
    left_out: tuple[Frame, ...] = ()


def arrange(frames: Sequence[Frame]) -> Arrangement:
    """Part the frames of a series into stacks.

    Parameters
    ----------
    frames : sequence of Frame
        At least one, in any order.

    Returns
    -------
    Arrangement
        Every stack of several has at least `MIN_SLICES` places along its normal. One stack of all
        frames where a frame has no place, where slices lie in three planes (a localizer), and
        where parting would leave a slice of a stack out.
    """
    planes = [plane_of(frame.header) for frame in frames]
    whole = Arrangement((SpatialStack(tuple(frames)),))
    if any(plane.position_lps is None or plane.axes is None for plane in planes):
        return whole
    if _is_localizer(planes):
        return whole
    parts = [
        (declared, part)
        for declared, block in _declared(frames, planes)
        for turned in _by_orientation(block, planes)
        for part in _by_place(turned, planes)
    ]
    large = [part for part in parts if _places(part[1], planes) >= MIN_SLICES]
    small = [index for part in parts if part not in large for index in part[1]]
    if not large or len(parts) == 1:
        return whole
    torn = [part for part in large if small and _is_torn(part[1], small, planes)]
    stacks = [
        (declared, sorted([*part, *small]) if (declared, part) in torn else part)
        for declared, part in large
    ]
    ordered = sorted(stacks, key=lambda stack: _from_head(stack[1], planes))
    return Arrangement(
        tuple(
            SpatialStack(tuple(frames[index] for index in part), declared)
            for declared, part in ordered
        ),
        () if torn else tuple(frames[index] for index in sorted(small)),
    )


def continues(stack: Sequence[Frame], others: Sequence[Frame]) -> bool:
    """Whether a frame that is not in a stack is its next slice, at either end.

    Parameters
    ----------
    stack, others : sequence of Frame
        All with a place; those of `others` of any orientation.

    Returns
    -------
    bool
        True where one lies one slice distance beyond an end, by its first voxel or its centre:
        leaving it out would shorten the volume without a word.
    """
    planes = [plane_of(frame.header) for frame in stack]
    beside = [plane_of(frame.header) for frame in others]
    if any(plane.position_lps is None or plane.axes is None for plane in (*planes, *beside)):
        return False
    return _continues(planes, beside)


def identify(
    frames: Sequence[Frame], *, number: int = 1, of: int = 1, declared: str = ""
) -> StackIdentity:
    """Describe a stack by its frames.

    Parameters
    ----------
    frames : sequence of Frame
        Of one stack.
    number, of, declared : int, int, str
        As in `StackIdentity`.

    Returns
    -------
    StackIdentity
        Without axes and centre where a frame has no place.
    """
    planes = [plane_of(frame.header) for frame in frames]
    if not planes or any(p.position_lps is None or p.axes is None for p in planes):
        return StackIdentity(number=number, of=of, declared=declared)
    axes = np.median([axes_of(plane).ravel() for plane in planes], axis=0).round(2) + 0.0
    centre = np.median([in_plane(plane) for plane in planes], axis=0).round(1) + 0.0
    return StackIdentity(
        number=number,
        of=of,
        declared=declared,
        axes=tuple(axes.tolist()),
        centre_mm=tuple(centre.tolist()),
    )


def _is_localizer(planes: Sequence[ImagePlane]) -> bool:
    """Slices in three planes of which none holds at least half."""
    names: Counter[str] = Counter()
    for plane in planes:
        x, y, z = np.cross(*axes_of(plane)).tolist()
        names[tilt_of((x, y, z)).plane] += 1
    return len(names) >= _LOCALIZER_PLANES and max(names.values()) < _HALF * len(planes)


def _declared(
    frames: Sequence[Frame], planes: Sequence[ImagePlane]
) -> Iterator[tuple[str, list[int]]]:
    """Part by Stack ID (PS3.3 C.7.6.16.2.2) and frame of reference, where both parts are whole.

    Stack IDs that number slices or echoes tell no places apart and are passed over.
    """
    for reference, block in _by_key([plane.frame_of_reference for plane in planes], planes):
        stack_ids = [str(frames[index].header.get("StackID", "")) for index in block]
        inner = list(_by_key(stack_ids, [planes[index] for index in block]))
        seen = [
            {tuple(np.round(position_of(planes[block[n]]), 2).tolist()) for n in part}
            for _, part in inner
        ]
        if len(inner) > 1 and len(set[tuple[float, ...]]().union(*seen)) < sum(map(len, seen)):
            inner = [("", list(range(len(block))))]
        for stack_id, part in inner:
            yield " ".join(filter(None, (reference, stack_id))), [block[n] for n in part]


def _by_key(keys: Sequence[str], planes: Sequence[ImagePlane]) -> Iterable[tuple[str, list[int]]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        groups[key].append(index)
    if len(groups) > 1 and all(_places(part, planes) >= MIN_SLICES for part in groups.values()):
        return groups.items()
    return [("", list(range(len(planes))))]


def _by_orientation(block: list[int], planes: Sequence[ImagePlane]) -> list[list[int]]:
    # Sorted, so that the groups do not depend on the order of the files.
    groups: list[list[int]] = []
    for index in sorted(block, key=lambda n: axes_of(planes[n]).ravel().tolist()):
        for members in groups:
            if _lie_alike(planes[members[0]], planes[index]):
                members.append(index)
                break
        else:
            groups.append([index])
    return [sorted(members) for members in groups]


def _lie_alike(plane: ImagePlane, other: ImagePlane) -> bool:
    """Whether two planes have one orientation, or one that is a little off at the same place.

    The latter are slices of one stack that do not fit together, for assembly to refuse.
    """
    axes, turned = axes_of(plane), axes_of(other)
    if np.abs(axes - turned).max() <= SAME_ORIENTATION:
        return True
    normal = np.cross(*axes)
    shift = float(np.linalg.norm(across(middle_of(other) - middle_of(plane), normal)))
    return abs(normal @ np.cross(*turned)) >= _LITTLE_TILT and shift <= STATION_SHIFT_MM


def _by_place(part: list[int], planes: Sequence[ImagePlane]) -> list[list[int]]:
    """Part by in-plane place, where every piece is whole and lies beside another one.

    Pieces that follow each other along the normal are one stack with a kink: shear.
    """
    normal = np.cross(*axes_of(planes[part[0]]))
    centres = np.array([middle_of(planes[index]) for index in part])
    pieces = [[part[n] for n in group] for group in linked(across(centres, normal))]
    spans = []
    for piece in pieces:
        along = np.array([middle_of(planes[index]) @ normal for index in piece])
        spans.append((float(along.min()), float(along.max())))
    beside = all(any(a[0] <= b[1] and b[0] <= a[1] for b in spans if b is not a) for a in spans)
    whole = all(_places(piece, planes) >= MIN_SLICES for piece in pieces)
    return pieces if len(pieces) > 1 and beside and whole else [part]


def _places(part: Sequence[int], planes: Sequence[ImagePlane]) -> int:
    return len(groups_along_normal([planes[index] for index in part]))


def _is_torn(part: Sequence[int], small: Sequence[int], planes: Sequence[ImagePlane]) -> bool:
    """Whether slices of this stack are among those that lie elsewhere."""
    own = [planes[index] for index in part]
    if _TORN & {finding.name for finding in judge(own)}:
        return True
    return _continues(own, [planes[index] for index in small])


def _continues(own: Sequence[ImagePlane], others: Sequence[ImagePlane]) -> bool:
    groups = groups_along_normal(own)
    if len(groups) < 2 or not others:  # noqa: PLR2004 - one distance needs two places
        return False
    along = along_normal(own)[[group[0] for group in groups]]
    step = float(np.median(np.diff(along)))
    normal = np.cross(*axes_of(own[0]))
    for start, starts in (
        (position_of(own[0]), [position_of(plane) for plane in others]),
        (middle_of(own[0]), [middle_of(plane) for plane in others]),
    ):
        offsets = np.array(starts) - start
        beyond = offsets @ normal + float(along_normal(own)[0])
        steps = np.minimum(np.abs(along[0] - step - beyond), np.abs(along[-1] + step - beyond))
        off_line = np.linalg.norm(across(offsets, normal), axis=1)
        if ((steps <= _STEP_TOLERANCE * step) & (off_line <= _ON_LINE_MM)).any():
            return True
    return False


def _from_head(part: Sequence[int], planes: Sequence[ImagePlane]) -> tuple[float, ...]:
    """Order of stacks: from head to foot, then by whatever is left, never by file."""
    x, y, z = np.mean([middle_of(planes[index]) for index in part], axis=0).round(1).tolist()
    axes = np.mean([axes_of(planes[index]) for index in part], axis=0).round(2) + 0.0
    return (-z, y, x, *axes.ravel().tolist())

"""Which places of a series are there, and which must be missing.

A gap between slices proves that some are missing; that there is none proves nothing, since the
last ones may still be on their way. Whether the planes form a volume is judged at assembly.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.dicom.reading.geometry import COSINE_TOLERANCE
from operators.dicom.selection.in_plane import across, linked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from app.node.journal.facts import ArrivalFacts

_SAME_PLACE_MM: Final = 0.01
_WHOLE_TOLERANCE: Final = 0.1
"""A distance of 1.9 to 2.1 times the rule is one missing slice, as at assembly."""

_TOLERANCE_PER_SLICE: Final = 0.02
"""Rounding and jitter of the rule add up over wide gaps."""

_SAME_ECHO_MS: Final = 2.0
_SAME_ECHO_SHARE: Final = 0.05
_MIN_PLACES: Final = 3
"""Two places have one distance: nothing to compare it with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Places of the slices of a series, over all its stacks.

    Attributes
    ----------
    places_mm : tuple of float
        Along the normal of the slices, the lowest at 0; of the stack with most places.
    missing_mm : tuple of float
        Where slices must be missing, on the same axis.
    places : int
        Different places over all stacks.
    missing : int
        Missing slices over all stacks.
    lacking : int
        Images that one echo or time has not at a place where another one has.
    """

    places_mm: tuple[float, ...] = ()
    missing_mm: tuple[float, ...] = ()
    places: int = 0
    missing: int = 0
    lacking: int = 0


@dataclass(frozen=True, slots=True)
class _Stack:
    """Images of one orientation and station: their places (mm) and what tells repeats apart."""

    along: NDArray[np.float64]
    contrasts: tuple[tuple[object, ...], ...]


def cover(facts: Sequence[ArrivalFacts]) -> Coverage:
    """Look at the places of the images of a series.

    Parameters
    ----------
    facts : sequence of ArrivalFacts
        One per object, in any order; objects without position or orientation are passed over.

    Returns
    -------
    Coverage
        All zero where nothing has a place.
    """
    stacks = _stacks(facts)
    if not stacks:
        return Coverage()
    places = [_distinct(stack.along) for stack in stacks]
    holes = [_holes(known) for known in places]
    widest = max(range(len(stacks)), key=lambda n: len(places[n]))
    origin = float(places[widest][0])
    return Coverage(
        places_mm=tuple(round(float(place) - origin, 2) for place in places[widest]),
        missing_mm=tuple(round(hole - origin, 2) for hole in holes[widest]),
        places=sum(map(len, places)),
        missing=sum(map(len, holes)),
        lacking=sum(_lacking(stack, known) for stack, known in zip(stacks, places, strict=True)),
    )


def _stacks(facts: Sequence[ArrivalFacts]) -> list[_Stack]:
    """Separate orientations (localizers, slabs along the discs) and stations of one orientation."""
    groups: list[tuple[NDArray[np.float64], list[ArrivalFacts]]] = []
    for fact in facts:
        if fact.image_position is None or fact.image_orientation is None:
            continue
        orientation = np.asarray(fact.image_orientation, dtype=np.float64)
        for known, members in groups:
            if np.abs(known - orientation).max() <= COSINE_TOLERANCE:
                members.append(fact)
                break
        else:
            groups.append((orientation, [fact]))
    return [
        _stack(orientation, station)
        for orientation, members in groups
        for station in _stations(orientation, members)
    ]


def _stations(
    orientation: NDArray[np.float64], members: list[ArrivalFacts]
) -> list[list[ArrivalFacts]]:
    """Separate what lies elsewhere within the plane, by the first voxels: no hole parts a stack."""
    normal: NDArray[np.float64] = np.cross(orientation[:3], orientation[3:])
    positions = np.array([fact.image_position for fact in members], dtype=np.float64)
    return [[members[n] for n in group] for group in linked(across(positions, normal))]


def _stack(orientation: NDArray[np.float64], members: list[ArrivalFacts]) -> _Stack:
    normal: NDArray[np.float64] = np.cross(orientation[:3], orientation[3:])
    positions = np.array([fact.image_position for fact in members], dtype=np.float64)
    echoes = _echoes([fact.echo_time for fact in members])
    contrasts = tuple(
        (echo, fact.echo_number, fact.temporal_position, fact.trigger_time)
        for echo, fact in zip(echoes, members, strict=True)
    )
    return _Stack(positions @ normal, contrasts)


def _echoes(times_ms: Sequence[float | None]) -> list[int]:
    """Give each echo a number; times closer than 2 ms or 5 % are one (rounding, Dixon's shifts)."""
    numbers: dict[float | None, int] = {None: -1}
    start, number = -np.inf, -1
    for time_ms in sorted({value for value in times_ms if value is not None}):
        if time_ms - start > max(_SAME_ECHO_MS, _SAME_ECHO_SHARE * time_ms):
            start, number = time_ms, number + 1
        numbers[time_ms] = number
    return [numbers[value] for value in times_ms]


def _distinct(along: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places in order, each once."""
    ordered = np.sort(along)
    places: NDArray[np.float64] = ordered[np.diff(ordered, prepend=-np.inf) > _SAME_PLACE_MM]
    return places


def _holes(places: NDArray[np.float64]) -> list[float]:
    """Places that must be missing: distances that are whole multiples of the smallest one.

    The smallest distance is the rule, not the median: after the first half of an interleaved
    acquisition most distances are double.
    """
    if len(places) < _MIN_PLACES:
        return []
    distances = np.diff(places)
    near = distances <= distances.min() * (1 + _WHOLE_TOLERANCE)
    rule = float(np.median(distances[near]))
    holes: list[float] = []
    for start, distance in zip(places[:-1], distances, strict=True):
        steps = round(float(distance) / rule)
        tolerance = _WHOLE_TOLERANCE + _TOLERANCE_PER_SLICE * steps
        if steps > 1 and abs(float(distance) / rule - steps) <= tolerance:
            holes += [float(start) + float(distance) * n / steps for n in range(1, steps)]
    return holes


def _lacking(stack: _Stack, places: NDArray[np.float64]) -> int:
    """Images that one contrast lacks at a place where another one is.

    Only where contrasts explain the repeats fully: repeats that nothing tells apart (another
    average, a b-value) say nothing about what is missing.
    """
    index = np.searchsorted(places + _SAME_PLACE_MM, stack.along)
    images: dict[tuple[object, ...], set[int]] = defaultdict(set)
    for contrast, place in zip(stack.contrasts, index.tolist(), strict=True):
        images[contrast].add(place)
    told_apart = sum(map(len, images.values())) == len(stack.along)
    repeats = len(stack.along) > len(places)
    if not (told_apart and repeats):
        return 0
    return sum(len(places) - len(members) for members in images.values())

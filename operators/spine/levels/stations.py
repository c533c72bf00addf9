"""Stations that show the same bones are one column of bones, and get one numbering.

Two fields of view of one frame of reference overlap where bodies of both lie at one place. Each
bone is then measured once, in the station that shows most of it: two images of one bone are no two
witnesses, since what is odd about the bone is odd in both.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.errors import NamesRejectedError
from operators.spine.levels.measures import SpineMeasures, VertebraMeasures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SAME_BONE: Final = 0.5
"""Of the distance between neighbours: two centres that lie nearer to each other are one bone's. The
next bone's centre is a whole distance away; patients move by a few mm between two stations, and
the centre of a body that the field cuts lies up to a quarter of a body off."""

_DECIMALS: Final = 4


@dataclass(frozen=True, slots=True)
class Station:
    """One image of a part of the spine.

    Attributes
    ----------
    spine : SpineMeasures
        What its masks show.
    frame : str
        Frame of reference; empty: no other station shares its coordinates.
    named : mapping of int to int
        Levels that a person has given, by vertebra id.
    """

    spine: SpineMeasures
    frame: str = ""
    named: Mapping[int, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain dict, rounded; without patient data as long as `frame` is a digest."""
        spine = self.spine
        return {
            "frame": self.frame,
            "places": list(spine.places),
            "has_atlas": bool(spine.has_atlas),
            "has_sacrum": bool(spine.has_sacrum),
            "room_above_mm": round(float(spine.room_above_mm), 1),
            "vertebrae": [
                {
                    "vertebra": v.vertebra,
                    "centre_mm": [round(float(value), 1) + 0.0 for value in v.centre_lps],
                    "has_body": bool(v.has_body),
                    "figures": _rounded(v.figures),
                    **({"said": _rounded(v.said)} if v.said else {}),
                }
                for v in spine.vertebrae
            ],
            "named": {str(n): level for n, level in self.named.items()},
        }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    # Adding 0.0 turns -0.0 into 0.0.
    return {name: round(float(value), _DECIMALS) + 0.0 for name, value in values.items()}


def from_json(values: Mapping[str, Any]) -> Station | None:
    """Read what `Station.as_json` gave; None where another version wrote it otherwise."""
    try:
        spine = SpineMeasures(
            tuple(
                VertebraMeasures(
                    int(v["vertebra"]),
                    np.array(v["centre_mm"], np.float64),
                    {str(name): float(value) for name, value in v["figures"].items()},
                    bool(v["has_body"]),
                    {str(name): float(value) for name, value in v.get("said", {}).items()},
                )
                for v in values["vertebrae"]
            ),
            tuple(int(place) for place in values["places"]),
            has_atlas=bool(values["has_atlas"]),
            has_sacrum=bool(values["has_sacrum"]),
            room_above_mm=float(values["room_above_mm"]),
        )
        named = {int(n): int(level) for n, level in values["named"].items()}
        return Station(spine, str(values["frame"]), named)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class Column:
    """Stations that are linked by bones they share.

    Attributes
    ----------
    members : tuple of int
        Which of the stations.
    bones : tuple of tuple of int
        Per member and vertebra: number of its bone in `spine`, from 0.
    spine : SpineMeasures
        All bones, each as the station shows it that shows most of it.
    named : mapping of int to int
        Levels that a person has given, by number of the bone.
    """

    members: tuple[int, ...]
    bones: tuple[tuple[int, ...], ...]
    spine: SpineMeasures
    named: Mapping[int, int]


def link(stations: Sequence[Station]) -> tuple[Column, ...]:
    """Find the stations that show the same bones.

    Parameters
    ----------
    stations : sequence of Station
        In any order.

    Returns
    -------
    tuple of Column
        Every station is in one; most studies' stations are alone.

    Raises
    ------
    NamesRejectedError
        ``impossible_order``: a person gave one bone two names.
    """
    columns, left = [], list(range(len(stations)))
    while left:
        offsets = {left.pop(0): 0}
        _gather(stations, offsets, left)
        columns.append(_column(stations, offsets))
    return tuple(columns)


def _gather(stations: Sequence[Station], offsets: dict[int, int], left: list[int]) -> None:
    """Move what overlaps with a station of a column into it, the closest fit first."""
    while True:
        found = [
            (fit[0], other, offsets[member] + fit[1])
            for member in offsets
            for other in left
            if (fit := _fit(stations[member], stations[other])) is not None
        ]
        if not found:
            return
        _, other, offset = min(found)
        offsets[other] = offset
        left.remove(other)


def _fit(one: Station, other: Station) -> tuple[float, int] | None:
    """How well two stations fit, as a share of a vertebra, and by how many places they differ."""
    if not one.frame or one.frame != other.frame:
        return None
    mine, theirs = (_bodies(station.spine) for station in (one, other))
    pitch = np.median([*_steps(one.spine), *_steps(other.spine)] or [np.nan])
    if not mine or not theirs or not np.isfinite(pitch):
        return None
    shifts = range(min(mine) - max(theirs), max(mine) - min(theirs) + 1)
    fits = [
        (float(np.median(distances) / pitch), shift)
        for shift in shifts
        if (distances := _distances(mine, theirs, shift))
    ]
    best = min(fits, default=(np.inf, 0))
    return best if best[0] <= SAME_BONE else None


def _bodies(spine: SpineMeasures) -> dict[int, VertebraMeasures]:
    """Vertebrae of which a body is in view, by place: the centre of an arch says less."""
    placed = zip(spine.places, spine.vertebrae, strict=True)
    return {place: vertebra for place, vertebra in placed if vertebra.has_body}


def _steps(spine: SpineMeasures) -> list[float]:
    """Distance from each vertebra to the next, mm per place."""
    rows = zip(pairwise(spine.vertebrae), pairwise(spine.places), strict=True)
    return [
        float(np.linalg.norm(below.centre_lps - above.centre_lps)) / (last - first)
        for (above, below), (first, last) in rows
    ]


def _distances(
    mine: dict[int, VertebraMeasures], theirs: dict[int, VertebraMeasures], shift: int
) -> list[float]:
    return [
        float(np.linalg.norm(mine[place].centre_lps - theirs[place - shift].centre_lps))
        for place in mine
        if place - shift in theirs
    ]


def _column(stations: Sequence[Station], offsets: dict[int, int]) -> Column:
    at = {
        m: [offset + place for place in stations[m].spine.places] for m, offset in offsets.items()
    }
    places = sorted({place for row in at.values() for place in row})
    number = {place: n for n, place in enumerate(places)}
    bones = {m: tuple(number[place] for place in row) for m, row in at.items()}
    return Column(
        tuple(offsets),
        tuple(bones.values()),
        _merged({m: stations[m].spine for m in offsets}, bones, places),
        _said({m: stations[m] for m in offsets}, bones),
    )


def _said(stations: dict[int, Station], bones: dict[int, tuple[int, ...]]) -> dict[int, int]:
    """Gather what a person said, by bone."""
    said: dict[int, int] = {}
    for m, station in stations.items():
        for bone, vertebra in zip(bones[m], station.spine.vertebrae, strict=True):
            level = station.named.get(vertebra.vertebra)
            if level is not None and said.setdefault(bone, level) != level:
                message = "one bone is given two names in two images"
                raise NamesRejectedError(message, reasons=("impossible_order",))
    return said


def _merged(
    spines: dict[int, SpineMeasures], bones: dict[int, tuple[int, ...]], places: list[int]
) -> SpineMeasures:
    seen: dict[int, VertebraMeasures] = {}
    for m, spine in spines.items():
        for bone, vertebra in zip(bones[m], spine.vertebrae, strict=True):
            if bone not in seen or len(vertebra.figures) > len(seen[bone].figures):
                seen[bone] = replace(vertebra, vertebra=bone)
    upper = [spine for m, spine in spines.items() if 0 in bones[m]]
    # The lowest bone of the column may be a piece of the sacrum that one station alone calls one.
    lower = [s for m, s in spines.items() if max(bones[m], default=-1) >= len(places) - 2]
    return SpineMeasures(
        tuple(seen[bone] for bone in sorted(seen)),
        tuple(place - places[0] for place in places),
        has_atlas=any(spine.has_atlas for spine in upper),
        has_sacrum=any(spine.has_sacrum for spine in lower),
        room_above_mm=max((spine.room_above_mm for spine in upper), default=0.0),
    )

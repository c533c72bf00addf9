"""The level of every vertebra of two final maps, with its confidence and evidence in words.

Measured (`measures`), compared with what every level looks like (`evidence`), decided
as one row (`path`), and said with a reserve where counting leaves it open
(`counting`). Masks alone: the image is not asked, unless by a labelling network that
is installed (`network`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from operators.anatomy.levels import LevelName
from operators.anatomy.vertebrae import ATLAS_INSTANCE
from operators.errors import NamesRejectedError
from operators.spine.levels.counting import UNCOUNTED, has_gap, is_counted
from operators.spine.levels.evidence import costs_of
from operators.spine.levels.measures import measure_spine
from operators.spine.levels.merged import holds_two
from operators.spine.levels.path import choose, paths_over, paths_with_gaps
from operators.spine.levels.stations import Station, link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operators.imaging.volume import LabelMap
    from operators.spine.levels.measures import Points, SpineMeasures
    from operators.spine.levels.path import Choice, Paths
    from operators.spine.levels.stations import Column

_WORDS: Final = {
    "axis": "a topmost body that is as high as that of C2",
    "room": "nothing above it though the image goes on",
    "conus": "end of the spinal cord",
    "bodies": "sizes of the bodies",
    "processes": "shape of the processes",
    "network": "the labelling network",
}
"""Kinds of evidence that differ between a level and its rival."""

SPEAKS: Final = 0.7
"""Nats from which a kind of evidence is named: it makes the level twice as probable."""

_SACRUM: Final = "sacrum below the lowest vertebra"
_ATLAS: Final = "C1 at the top"
_MISSING: Final = "a gap of a vertebra"
_MERGED: Final = "a vertebra as high as two"
BY_A_STATION: Final = "agrees with the other station"
"""Several images show one column of bones, which was named as a whole."""

BY_A_PERSON: Final = "named by a person"
BESIDE_A_PERSONS: Final = "follows from a name that a person gave"
"""The order of the bones leaves nothing else, or less than it would without that name."""


def name_levels(
    semantic: LabelMap, instances: LabelMap, named: Mapping[int, int] | None = None
) -> dict[int, LevelName]:
    """Name the vertebrae of one image.

    Parameters
    ----------
    semantic, instances : LabelMap
        Final maps on one grid, any orientation.
    named : mapping of int to int, optional
        Levels that a person has given, by vertebra id.

    Returns
    -------
    dict of int to LevelName
        By vertebra id, head to foot: see `name_stations`.

    Raises
    ------
    NamesRejectedError
        See `name_stations`.
    """
    (names,) = name_stations([Station(measure_spine(semantic, instances), named=named or {})])
    return names


def name_stations(stations: Sequence[Station]) -> tuple[dict[int, LevelName], ...]:
    """Name the vertebrae of one or more images; a bone that several show has one name.

    Parameters
    ----------
    stations : sequence of Station
        Of one patient.

    Returns
    -------
    tuple of dict of int to LevelName
        Per station by vertebra id, head to foot. Every vertebra has an entry, however uncertain;
        none has where there are more vertebrae than people have.

    Raises
    ------
    NamesRejectedError
        ``impossible_order``: no row of levels that people have agrees with what a person said.

    Notes
    -----
    The evidence of a level is what it has more of than its rival has. Where nothing in view tells
    levels apart, as in the middle of the chest, many rows share the probability and the confidence
    is low. What a person said is not weighed: only the rows that agree with it are compared, so
    that names which follow by the order of the bones alone have no reserve either.
    """
    names: list[dict[int, LevelName]] = [{} for _ in stations]
    for column in link(stations):
        of_bone = _named_row(column)
        if not of_bone and len(column.members) > 1:
            # More bones than people have: one of the images counts some that are none.
            for member in column.members:
                (names[member],) = name_stations([replace(stations[member], frame="")])
            continue
        for member, bones in zip(column.members, column.bones, strict=True):
            vertebrae = stations[member].spine.vertebrae
            names[member] = {
                v.vertebra: replace(of_bone[bone], centre_mm=_rounded(v.centre_lps))
                for bone, v in zip(bones, vertebrae, strict=True)
                if bone in of_bone
            }
    return tuple(names)


def _named_row(column: Column) -> dict[int, LevelName]:
    """Name of every bone of a column."""
    spine = column.spine
    if not spine.vertebrae:
        return {}
    paths = _possible(spine, column.named)
    if not paths.count:
        return {}
    choice = choose(paths, costs_of(spine, paths))
    counted = is_counted(spine, paths, choice)
    choice = replace(
        choice,
        confidence=tuple(
            sure if is_sure else min(sure, UNCOUNTED)
            for sure, is_sure in zip(choice.confidence, counted, strict=True)
        ),
    )
    shared = (*_anchors(spine, choice), *((BY_A_STATION,) if len(column.members) > 1 else ()))
    return {bone: _name(choice, bone, shared, column.named) for bone in range(len(spine.places))}


def _possible(spine: SpineMeasures, named: Mapping[int, int]) -> Paths:
    """Rows that agree with what a person said; whether a bone is missing is a guess beside that."""
    paths = paths_with_gaps(spine.places)
    if not named:
        return paths
    kept = paths.with_levels(named)
    if not kept.count:
        kept = paths_over(tuple(range(len(spine.places)))).with_levels(named)
    if not kept.count:
        message = "no row of levels that people have agrees with the names that were given"
        raise NamesRejectedError(message, reasons=("impossible_order",))
    return kept


def _name(
    choice: Choice, bone: int, shared: tuple[str, ...], named: Mapping[int, int]
) -> LevelName:
    level = choice.levels[bone]
    if bone in named:
        return LevelName(level, 1.0, (BY_A_PERSON,))
    if named and choice.is_forced[bone]:
        return LevelName(level, 1.0, (BESIDE_A_PERSONS,))
    evidence = (*((BESIDE_A_PERSONS,) if named else ()), *shared)
    differences = _differences(choice.support[bone])
    return LevelName(level, choice.confidence[bone], (*evidence, *differences), choice.rivals[bone])


def _rounded(centre: Points) -> tuple[float, ...]:
    # Adding 0.0 turns -0.0 into 0.0.
    return tuple(round(float(value), 1) + 0.0 for value in centre)


def _anchors(spine: SpineMeasures, choice: Choice) -> tuple[str, ...]:
    """Name what fixes the row as a whole, if the path taken agrees with it."""
    figures = [vertebra.figures for vertebra in spine.vertebrae]
    stated = {
        _SACRUM: spine.has_sacrum and choice.is_last,
        _ATLAS: spine.has_atlas and choice.levels[0] == ATLAS_INSTANCE,
        _MERGED: (is_merged := any(holds_two(figures, n) for n in range(len(figures) - 1))),
        _MISSING: has_gap(spine, choice) and not is_merged,
    }
    return tuple(words for words, holds in stated.items() if holds)


def _differences(support: dict[str, float]) -> tuple[str, ...]:
    """Kinds of evidence that speak for the level and against its rival, the strongest first."""
    kinds = sorted(_WORDS, key=lambda kind: -support[kind])
    return tuple(_WORDS[kind] for kind in kinds if support[kind] >= SPEAKS)

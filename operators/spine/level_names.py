"""The level of every vertebra of two final maps, with its confidence and evidence in words.

Measured (`level_measures`), compared with what every level looks like (`level_evidence`), decided
as one row (`level_path`). Masks alone: the image is not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.anatomy.labels import SACRUM_INSTANCE
from operators.anatomy.levels import LevelName
from operators.anatomy.vertebrae import ATLAS_INSTANCE
from operators.spine.level_evidence import costs_of
from operators.spine.level_measures import measure_spine
from operators.spine.level_path import choose, paths_over

if TYPE_CHECKING:
    from operators.imaging.volume import LabelMap
    from operators.spine.level_measures import SpineMeasures
    from operators.spine.level_path import Choice

_WORDS: Final = {
    "room": "nothing above it though the image goes on",
    "conus": "end of the spinal cord",
    "bodies": "sizes of the bodies",
    "processes": "shape of the processes",
}
"""Kinds of evidence that differ between a level and its rival."""

SPEAKS: Final = 0.7
"""Nats from which a kind of evidence is named: it makes the level twice as probable."""

_SACRUM: Final = "sacrum below the lowest vertebra"
_ATLAS: Final = "C1 at the top"
_MISSING: Final = "a gap of a vertebra"


def name_levels(semantic: LabelMap, instances: LabelMap) -> dict[int, LevelName]:
    """Name the vertebrae.

    Parameters
    ----------
    semantic, instances : LabelMap
        Final maps on one grid, any orientation.

    Returns
    -------
    dict of int to LevelName
        By vertebra id, head to foot. Every vertebra has an entry, however uncertain; none has where
        there are more vertebrae than people have.

    Notes
    -----
    The evidence of a level is what it has more of than its rival has. Where nothing in view tells
    levels apart, as in the middle of the chest, many rows share the probability and the confidence
    is low.
    """
    spine = measure_spine(semantic, instances)
    if not spine.vertebrae:
        return {}
    paths = paths_over(spine.places)
    if not paths.count:
        return {}
    choice = choose(paths, costs_of(spine, paths))
    anchors = _anchors(spine, choice)
    return {
        vertebra.vertebra: LevelName(
            choice.levels[n],
            choice.confidence[n],
            (*anchors, *_differences(choice.support[n])),
            choice.rivals[n],
        )
        for n, vertebra in enumerate(spine.vertebrae)
    }


def _anchors(spine: SpineMeasures, choice: Choice) -> tuple[str, ...]:
    """Name what fixes the row as a whole, if the path taken agrees with it."""
    last = -2 if choice.levels[-1] == SACRUM_INSTANCE else -1
    has_gap = spine.places[last] > len(spine.places) + last
    stated = {
        _SACRUM: spine.has_sacrum and choice.is_last,
        _ATLAS: spine.has_atlas and choice.levels[0] == ATLAS_INSTANCE,
        _MISSING: has_gap,
    }
    return tuple(words for words, holds in stated.items() if holds)


def _differences(support: dict[str, float]) -> tuple[str, ...]:
    """Kinds of evidence that speak for the level and against its rival, the strongest first."""
    kinds = sorted(_WORDS, key=lambda kind: -support[kind])
    return tuple(_WORDS[kind] for kind in kinds if support[kind] >= SPEAKS)

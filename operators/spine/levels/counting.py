"""Which levels follow from the bones in view by counting, whatever column the person has.

Sizes and shapes are graded: L4 above a sacrum is wider than L3, but L4 of a person with four lumbar
vertebrae is as wide as anybody's L5. So in a field without a rib they tell little between two
columns that people have. What an observer counts from are bones of another kind: C2, the first
thoracic vertebra, the last one, the sacrum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import SACRUM_INSTANCE
from operators.anatomy.levels import CERTAIN_LEVEL
from operators.anatomy.vertebrae import ATLAS_INSTANCE, AXIS_INSTANCE, LEVEL_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.levels.measures import SpineMeasures
    from operators.spine.levels.path import Choice, Paths

UNCOUNTED: Final = 0.97
"""Highest confidence of a level that counting leaves open: the last below `CERTAIN_LEVEL`, so that
it is said with a reserve."""

_OF_A_KIND: Final = frozenset(
    {"costal_reach", "costal_beyond", "superior_volume", "superior_behind"}
)
"""A vertebra of which any of these is measured shows whether it bears ribs: its transverse
processes or its upper joints are in view."""

_OF_C2: Final = frozenset({"height", "tall"})
"""C2 is known by its height alone."""


def is_counted(spine: SpineMeasures, paths: Paths, choice: Choice) -> tuple[bool, ...]:
    """Say of every vertebra whether counting decides its level.

    Parameters
    ----------
    spine : SpineMeasures
        What is in view.
    paths : Paths
        Over its places; those that a person's names leave.
    choice : Choice
        The row taken among them.

    Returns
    -------
    tuple of bool
        Among the rows in which every vertebra that shows its kind is of the same kind as in the row
        taken, and which end above a sacrum if that does, the share that gives the vertebra the same
        level is at least `CERTAIN_LEVEL`, weighted by how often people have such columns. None
        where a bone is missing: how many are is a guess.
    """
    if has_gap(spine, choice):
        return (False,) * len(choice.levels)
    levels = np.array(choice.levels)
    shows = np.array([_shows_kind(spine, n, level) for n, level in enumerate(choice.levels)])
    kinds = _KINDS[paths.levels]
    is_alike = (kinds == _KINDS[levels])[:, shows].all(axis=1)
    if spine.has_sacrum:
        is_alike &= paths.is_last == choice.is_last
    weights = np.exp(-paths.prior) * is_alike
    shares = weights @ (paths.levels == levels) / weights.sum()
    return tuple(bool(share >= CERTAIN_LEVEL) for share in shares)


def has_gap(spine: SpineMeasures, choice: Choice) -> bool:
    """Say whether a bone is taken to be missing; above a piece of the sacrum none is."""
    last = -2 if choice.levels[-1] == SACRUM_INSTANCE else -1
    return spine.places[last] > len(spine.places) + last


def _shows_kind(spine: SpineMeasures, n: int, level: int) -> bool:
    seen = spine.vertebrae[n].figures.keys()
    if level == ATLAS_INSTANCE:
        return spine.has_atlas
    return bool(seen & _OF_A_KIND) or (level == AXIS_INSTANCE and bool(seen & _OF_C2))


def _kinds() -> NDArray[np.intp]:
    """By level id: C1, C2, other cervical, thoracic, lumbar vertebra, sacrum."""
    kinds = np.zeros(max(LEVEL_NAMES) + 1, np.intp)
    for level, name in LEVEL_NAMES.items():
        kinds[level] = "CTLs".index(name[0])
    kinds[[ATLAS_INSTANCE, AXIS_INSTANCE]] = -1, -2
    return kinds


_KINDS: Final = _kinds()

"""What the answers of SPINEPS's labelling network say about rows of levels.

Its heads share their features, so that they are one witness: their distributions over levels are
averaged. What it says altogether is limited (`MOST`), for its errors are not those of one vertebra:
where it miscounts, it miscounts a whole row. ``app/decisions/0030``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.columns import CERVICAL, LUMBAR, THORACIC
from operators.anatomy.labels import L6_INSTANCE, SACRUM_INSTANCE, T13_INSTANCE
from operators.anatomy.vertebrae import LEVEL_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from operators.spine.levels.measures import SpineMeasures
    from operators.spine.levels.path import Paths

    Costs = NDArray[np.float64]

WEIGHT: Final = 0.5
"""Of what is said about one vertebra: boxes of neighbours overlap, and so do their errors. The same
as of sizes (`operators.spine.levels.evidence.SIZE_WEIGHT`)."""

MOST: Final = 4.0
"""Nats that the network can speak for one row against another: odds of 55 to 1. VERIDAH names all
levels rightly in 98.3 % of T2w subjects (arXiv 2601.14066), 58 to 1, so that it is never surer than
it was found right; with nothing else in view its names stay just below "certain"."""

LEAST: Final = 0.01
"""Probability of an answer that the network rules out."""

UNSEEN: Final = 0.5
"""Share of its weight that a vertebra keeps which the network does not take for wholly visible."""

_WITHOUT_VARIANTS: Final = (*CERVICAL, *THORACIC[:-1], *LUMBAR[:-1])
_ALL: Final = (*CERVICAL, *THORACIC, *LUMBAR)
_GROUPS: Final = (
    *((1, 2), (3, 4, 5), (6, 7), (8, 9), (10, 11), (12, 13, 14), (15, 16), (17, 18)),
    *((19, T13_INSTANCE), (20, 21), (22, 23), (24, L6_INSTANCE)),
)
_T12, _L5 = 19, 24
_ROLES: Final = (
    *("between", "last cervical", "first thoracic"),
    *("last thoracic", "first lumbar", "last lumbar"),
)

_ANSWERS: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    "VERT": tuple(
        {_T12: (_T12, T13_INSTANCE), _L5: (_L5, L6_INSTANCE)}.get(n, (n,))
        for n in _WITHOUT_VARIANTS
    ),
    "VERTEX": tuple((n,) for n in _ALL),
    "VERTEXACT": tuple((n,) for n in _ALL),
    "VERTGRP": _GROUPS,
    "REGION": (CERVICAL, THORACIC, LUMBAR),
}
"""Head -> levels that each of its answers stands for: a head of 24 answers calls T13 T12, L6 L5."""

_SIZE: Final = max(LEVEL_NAMES) + 1


def sayings_of(answers: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Turn a network's answers about one vertebra into logarithms of probabilities.

    Parameters
    ----------
    answers : mapping of str to sequence of float
        Probabilities by head (`operators.networks.labelling`); unknown heads say nothing.

    Returns
    -------
    dict of str to float
        Per level, by its name, and per place in its region (``last lumbar`` ...), natural
        logarithms; ``visible``, 0 to 1. Levels of one answer each get all of its probability.
    """
    heads = [_over_levels(head, answers[head]) for head in _ANSWERS if head in answers]
    if not heads:
        return {}
    levels = np.mean(heads, axis=0)
    if "VERTT13" in answers:
        levels[_T12] *= answers["VERTT13"][0]
        levels[T13_INSTANCE] *= answers["VERTT13"][1]
    said = {LEVEL_NAMES[n]: _logarithm(levels[n]) for n in _ALL}
    for role, share in zip(_ROLES, answers.get("VERTREL", ()), strict=False):
        said[role] = _logarithm(share)
    if "FULLYVISIBLE" in answers:
        said["visible"] = float(answers["FULLYVISIBLE"][1])
    return said


def with_answers(
    spine: SpineMeasures, answers: Mapping[int, Mapping[str, Sequence[float]]]
) -> SpineMeasures:
    """Add what a network answered, by vertebra id, to the measures of a spine."""
    vertebrae = tuple(
        replace(v, said=sayings_of(answers.get(v.vertebra, {}))) for v in spine.vertebrae
    )
    return replace(spine, vertebrae=vertebrae)


def network_costs(spine: SpineMeasures, paths: Paths) -> Costs:
    """Cost of every path by what the network said; 0 where it was not asked.

    Parameters
    ----------
    spine : SpineMeasures
        At least one vertebra.
    paths : Paths
        Over its places, at least one.

    Returns
    -------
    (P,) ndarray
        Nats, 0 for the path that it favours, at most `MOST`.
    """
    total = np.zeros(paths.count)
    for n, vertebra in enumerate(spine.vertebrae):
        said = vertebra.said
        if not said:
            continue
        weight = WEIGHT * (UNSEEN + (1 - UNSEEN) * said.get("visible", 1.0))
        total -= weight * _by_level(said)[paths.levels[:, n]]
        if _ROLES[0] in said:
            total -= weight * np.array([said[role] for role in _roles_of(paths, n)])
    costs: Costs = np.minimum(total - total.min(), MOST)
    return costs


def _over_levels(head: str, shares: Sequence[float]) -> Costs:
    levels = np.zeros(_SIZE)
    for places, share in zip(_ANSWERS[head], shares, strict=True):
        levels[list(places)] = share
    return levels


def _logarithm(share: float) -> float:
    return float(np.log(LEAST + (1.0 - LEAST) * share))


def _by_level(said: Mapping[str, float]) -> Costs:
    table = np.zeros(_SIZE)
    for level in _ALL:
        table[level] = said[LEVEL_NAMES[level]]
    # The network knows no sacrum: what it calls a piece of it is the last vertebra.
    table[SACRUM_INSTANCE] = max(table[_L5], table[L6_INSTANCE])
    return table


def _roles_of(paths: Paths, vertebra: int) -> list[str]:
    """Place of a vertebra in its region, on every path."""
    levels = paths.levels
    last = np.argmax(np.cumsum(levels != SACRUM_INSTANCE, axis=1), axis=1)
    is_last_lumbar = paths.is_last & (last == vertebra) & np.isin(levels[:, vertebra], LUMBAR)
    here = levels[:, vertebra]
    named = np.select(
        [
            here == CERVICAL[-1],
            here == THORACIC[0],
            paths.from_first_lumbar[:, vertebra] == -1,
            here == LUMBAR[0],
            is_last_lumbar,
        ],
        [1, 2, 3, 4, 5],
    )
    return [_ROLES[n] for n in named]

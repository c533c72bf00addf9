"""Which row of levels a spine's vertebrae are: the path of least cost over all evidence.

A path gives every vertebra in view a level, one after the other down a column of bones. The columns
are those that people have: 11, 12 or 13 thoracic and 4, 5 or 6 lumbar vertebrae. With at most 26
places to begin there are fewer than 300 paths, so that every one is costed whole; a search step by
step could not take the person's own size out of the figures. Costs are negative logarithms of
probabilities (nats): the share of the paths that agree on a name is its confidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise, product
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.columns import CERVICAL, column_of
from operators.anatomy.labels import SACRUM_INSTANCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Costs = NDArray[np.float64]

THORACIC_SHARE: Final = {11: 0.03, 12: 0.94, 13: 0.03}
LUMBAR_SHARE: Final = {4: 0.05, 5: 0.90, 6: 0.05}
"""How often so many vertebrae are taken to occur before anything is seen. Surveys of whole spines
differ by how they count ribs and transitional vertebrae (2 to 8 % each); the shares say no more
than that a variant needs evidence."""

COMPENSATED_SHARE: Final = {(13, 4): 0.01, (11, 6): 0.01}
"""How often 24 vertebrae above the sacrum are taken not to be 12 and 5. Such variants go together:
2 of 226 people had 13 and 4 (Nakajima et al. 2014, doi 10.1007/s13244-013-0286-0: lumbar ribs
without lumbarisation, CT), 5 of 293 had 11 and 6 (Yan et al. 2018, doi 10.1186/s13018-018-0835-9,
radiographs); the products of the shares above are 0.15 %."""


def _column_shares() -> dict[tuple[int, int], float]:
    both = product(THORACIC_SHARE.items(), LUMBAR_SHARE.items())
    shares = {(thoracic, lumbar): first * second for (thoracic, first), (lumbar, second) in both}
    shares |= COMPENSATED_SHARE
    total = sum(shares.values())
    return {column: share / total for column, share in shares.items()}


COLUMN_SHARE: Final = _column_shares()
"""The same of columns as a whole, thoracic and lumbar; 1 together."""

OTHER_GAP: Final = 1.5
"""Nats that it costs to take a gap for one bone more or less than its length lets expect."""

_MOST_GAPS: Final = 3
"""With more, every gap is taken as long as it looks: masks of that kind count nothing anyway."""

SACRAL_SHARE: Final = {0: 0.96, 1: 0.04}
"""How often the lowest vertebra of the masks is taken to be a piece of the sacrum."""


@dataclass(frozen=True, slots=True)
class Paths:
    """All paths that so many vertebrae can take.

    Attributes
    ----------
    levels : (P, N) ndarray of int
        Level id of every vertebra on every path, by `operators.anatomy.vertebrae.LEVEL_NAMES`.
    prior : (P,) ndarray
        Cost of the column before anything is seen, nats.
    is_last : (P,) ndarray of bool
        The path ends in the last vertebra above the sacrum.
    from_first_lumbar : (P, N) ndarray
        Place below (positive) or above L1, in vertebrae.
    """

    levels: NDArray[np.intp]
    prior: Costs
    is_last: NDArray[np.bool_]
    from_first_lumbar: NDArray[np.intp]

    @property
    def count(self) -> int:
        """Number of paths."""
        return len(self.prior)

    def with_levels(self, named: Mapping[int, int]) -> Paths:
        """Keep those that give some vertebrae, by their number from 0, these levels."""
        kept = np.ones(self.count, np.bool_)
        for vertebra, level in named.items():
            kept &= self.levels[:, vertebra] == level
        return Paths(
            self.levels[kept], self.prior[kept], self.is_last[kept], self.from_first_lumbar[kept]
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """The path of least cost.

    Attributes
    ----------
    levels : tuple of int
        Level id of every vertebra.
    confidence : tuple of float
        Share of all paths, weighted by their probability, that give the vertebra this level.
    is_forced : tuple of bool
        Every path gives the vertebra this level.
    is_last : bool
        The path ends where the sacrum begins.
    rivals : tuple of int
        The next most probable level of each vertebra; 0 where there is none.
    support : tuple of dict of str to float
        Per vertebra and kind of evidence: how many nats it speaks for the level and against its
        rival; negative where it speaks for the rival.
    """

    levels: tuple[int, ...]
    confidence: tuple[float, ...]
    is_forced: tuple[bool, ...]
    is_last: bool
    rivals: tuple[int, ...]
    support: tuple[dict[str, float], ...]


@lru_cache(maxsize=64)
def paths_over(places: tuple[int, ...]) -> Paths:
    """Every path over vertebrae at these places of the row of bones.

    Parameters
    ----------
    places : tuple of int
        From 0, ascending; a missing bone leaves out a number. None is missing above a piece of the
        sacrum, however far down that lies.

    Returns
    -------
    Paths
        Empty where there are more places than any column has bones.
    """
    levels, prior, is_last, lumbar = [], [], [], []
    shares = product(COLUMN_SHARE.items(), SACRAL_SHARE.items())
    for ((thoracic, count), share), (sacral, sacral_share) in shares:
        column = column_of(thoracic, count)
        mobile = places[: len(places) - sacral]
        latest = len(column) - 1 - mobile[-1] if mobile else -1
        for start in range(max(latest, 0) if sacral else 0, latest + 1):
            steps = [start + place for place in mobile] + [len(column)] * sacral
            levels.append([(*column, SACRUM_INSTANCE)[step] for step in steps])
            prior.append(-np.log(share * sacral_share))
            is_last.append(start == latest)
            lumbar.append([step - len(CERVICAL) - thoracic for step in steps])
    shape = (-1, len(places))
    return Paths(
        np.array(levels, np.intp).reshape(shape),
        np.array(prior),
        np.array(is_last, np.bool_),
        np.array(lumbar, np.intp).reshape(shape),
    )


@lru_cache(maxsize=64)
def paths_with_gaps(places: tuple[int, ...]) -> Paths:
    """Every path over these places, and over those with a bone more or less in a gap.

    Parameters
    ----------
    places : tuple of int
        See `paths_over`. A gap is never closed: there, at least one bone is missing.

    Returns
    -------
    Paths
        Those of `paths_over` where no number is left out.
    """
    steps = [below - above for above, below in pairwise(places)]
    if sum(step > 1 for step in steps) > _MOST_GAPS:
        return paths_over(places)
    choices = [(step,) if step == 1 else (step, step + 1, max(step - 1, 2)) for step in steps]
    found = {row: sum(a != b for a, b in zip(row, steps, strict=True)) for row in product(*choices)}
    each = [
        (paths_over((0, *accumulate(row))), OTHER_GAP * changed) for row, changed in found.items()
    ]
    return Paths(
        np.concatenate([paths.levels for paths, _ in each]),
        np.concatenate([paths.prior + cost for paths, cost in each]),
        np.concatenate([paths.is_last for paths, _ in each]),
        np.concatenate([paths.from_first_lumbar for paths, _ in each]),
    )


def choose(paths: Paths, evidence: Mapping[str, Costs]) -> Choice:
    """Take the path of least cost.

    Parameters
    ----------
    paths : Paths
        At least one.
    evidence : mapping of str to (P,) ndarray
        Cost of every path by kind of evidence, nats.

    Returns
    -------
    Choice
        With what every name rests on.
    """
    costs = paths.prior + np.sum(list(evidence.values()), axis=0)
    shares = np.exp(costs.min() - costs)
    shares /= shares.sum()
    best = int(costs.argmin())
    confidence, forced, rivals, support = [], [], [], []
    for vertebra, level in enumerate(paths.levels[best]):
        agrees = paths.levels[:, vertebra] == level
        forced.append(bool(agrees.all()))
        confidence.append(float(shares[agrees].sum()))
        others = np.where(agrees, 0.0, shares)
        weights = np.bincount(paths.levels[:, vertebra], weights=others)
        rivals.append(int(weights.argmax()) if others.any() else 0)
        rival = int(np.where(agrees, np.inf, costs).argmin())
        support.append({kind: float(c[rival] - c[best]) for kind, c in evidence.items()})
    return Choice(
        tuple(int(level) for level in paths.levels[best]),
        tuple(confidence),
        tuple(forced),
        bool(paths.is_last[best]),
        tuple(rivals),
        tuple(support),
    )

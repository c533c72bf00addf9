"""Which results of a cohort look unlike the others, and in what: where a person looks first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT: Final = 3.5
"""Modified z-score beyond which a value counts as an outlier (Iglewicz and Hoaglin 1993, How to
Detect and Handle Outliers, ASQC)."""

_FEWEST: Final = 8
"""With fewer values neither median nor spread says much."""
_NORMAL: Final = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""
_NORMAL_MEAN: Final = 1.2533
"""The same of the mean absolute deviation, where half of the values are equal."""


@dataclass(frozen=True, slots=True)
class Oddness:
    """How unlike the others one result is.

    Attributes
    ----------
    score : float
        Largest modified z-score without its sign.
    why : str
        Figure and score, for people; empty where nothing stands out.
    """

    score: float
    why: str


def oddness_of(figures: Sequence[Mapping[str, float]]) -> list[Oddness]:
    """Compare every result with the whole.

    Parameters
    ----------
    figures : sequence of mapping
        Of every result its figures by name; one that is missing counts as usual.

    Returns
    -------
    list of Oddness
        In the order given.
    """
    scores: list[dict[str, float]] = [{} for _ in figures]
    for name in dict.fromkeys(name for one in figures for name in one):
        have = [n for n, one in enumerate(figures) if name in one]
        if len(have) >= _FEWEST:
            values = np.array([figures[n][name] for n in have])
            for n, score in zip(have, _modified_z(values), strict=True):
                scores[n][name] = float(score)
    return [_worst(one) for one in scores]


def _modified_z(values: np.ndarray) -> np.ndarray:
    away = values - np.median(values)
    spread = _NORMAL * np.median(np.abs(away)) or _NORMAL_MEAN * np.mean(np.abs(away))
    return away / spread if spread else np.zeros_like(away)


def _worst(scores: Mapping[str, float]) -> Oddness:
    if not scores:
        return Oddness(0.0, "")
    name = max(scores, key=lambda key: abs(scores[key]))
    score = abs(scores[name])
    why = f"{name.replace('_', ' ')}, z {scores[name]:+.1f}" if score > LIMIT else ""
    return Oddness(score, why)

"""Mean, spread and confidence of a set of cases, and paired tests between two methods.

The case is the unit: several vertebrae of one spine are not independent, so a case enters with
one value per metric, and resampling draws cases. Not-a-number values are left out and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONFIDENCE = 0.95
RESAMPLES = 9999
SEED = 20240229
"""Of the bootstrap, so that the same scores give the same interval."""

_BATCH = 1000
"""Resamples at a time, which bounds the memory for thousands of cases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One metric over cases.

    Attributes
    ----------
    n : int
        Cases with a value.
    undefined : int
        Cases left out because the metric has no value there.
    mean, sd : float
        Mean and standard deviation of the sample (n - 1); not a number for n = 0 and n < 2.
    low, high : float
        Bootstrap percentile interval of the mean at `CONFIDENCE`; not a number for n < 2.
    """

    n: int
    undefined: int
    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Wilcoxon signed-rank test between two methods on the same cases.

    Attributes
    ----------
    n : int
        Cases where both have a value.
    mean_difference, median_difference : float
        First minus second method.
    p : float
        Two-sided; 1 where the methods never differ, not a number for n = 0.
    effect : float
        Matched-pairs rank-biserial correlation (Kerby 2014): the share of the rank sum where the
        first method is higher minus the share where it is lower; -1 to 1.
    """

    n: int
    mean_difference: float
    median_difference: float
    p: float
    effect: float


def summarise(values: Sequence[float]) -> Summary:
    """Describe one metric over cases.

    Parameters
    ----------
    values : sequence of float
        One per case; not a number = undefined there.

    Returns
    -------
    Summary
        With a seeded bootstrap (`RESAMPLES` draws).
    """
    array = np.asarray(values, np.float64)
    defined = array[np.isfinite(array)]
    n, missing = int(defined.size), int(array.size - defined.size)
    mean = float(defined.mean()) if n else float("nan")
    if n < 2:  # noqa: PLR2004 - no spread of a single value
        nan = float("nan")
        return Summary(n=n, undefined=missing, mean=mean, sd=nan, low=nan, high=nan)
    found = stats.bootstrap(
        (defined,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=_BATCH,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return Summary(
        n=n,
        undefined=missing,
        mean=mean,
        sd=float(defined.std(ddof=1)),
        low=float(found.low),
        high=float(found.high),
    )


def compare(first: Mapping[str, float], second: Mapping[str, float]) -> Comparison:
    """Test whether two methods differ on the cases that both have.

    Parameters
    ----------
    first, second : mapping
        Case to value.

    Returns
    -------
    Comparison
        Two-sided Wilcoxon signed-rank test; cases without a difference are dropped from the
        ranks (Wilcoxon's own rule), exact for few cases (``scipy.stats.wilcoxon``).
    """
    pairs = [(first[case], second[case]) for case in first if case in second]
    both = np.asarray([pair for pair in pairs if np.isfinite(pair).all()], np.float64)
    difference = both[:, 0] - both[:, 1] if len(both) else np.empty(0)
    changed = difference[difference != 0]
    if not changed.size:
        even = 0.0 if difference.size else float("nan")
        p = 1.0 if difference.size else float("nan")
        return Comparison(
            n=len(difference), mean_difference=even, median_difference=even, p=p, effect=even
        )
    ranks = stats.rankdata(np.abs(changed))
    return Comparison(
        n=len(difference),
        mean_difference=float(difference.mean()),
        median_difference=float(np.median(difference)),
        p=float(stats.wilcoxon(changed).pvalue),
        effect=float((ranks * np.sign(changed)).sum() / ranks.sum()),
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values of one family of tests (Holm 1979); not a number stays and counts not.

    Parameters
    ----------
    p_values : sequence of float
        In any order.

    Returns
    -------
    tuple of float
        In the same order, at most 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    adjusted = np.asarray(p_values, np.float64)
    order = [int(n) for n in np.argsort(adjusted) if np.isfinite(adjusted[n])]
    largest = 0.0
    for rank, position in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * float(p_values[position])))
        adjusted[position] = largest
    return tuple(adjusted.tolist())

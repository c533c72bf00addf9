"""Grades that follow from measured ratios: proposals for a reader, never findings."""

from __future__ import annotations

from typing import Final

GENANT_LIMITS: Final = (0.20, 0.25, 0.40)
"""Loss of height from which grade 1, 2, 3 begins (Genant et al. 1993, J Bone Miner Res 8:1137)."""

MEYERDING_STEP_PERCENT: Final = 25.0
"""Width of one grade (Meyerding 1932, Surg Gynecol Obstet 54:371)."""

MEYERDING_HIGHEST: Final = 5
"""Over 100 %: spondyloptosis."""

LEAST_SLIP_MM: Final = 3.0
"""Below this a slip is within what posture and readers differ by, and has grade 0."""


def genant_grade(*ratios: float) -> float:
    """Grade of a fracture by the largest loss of height.

    Parameters
    ----------
    *ratios : float
        Heights by what they should be: wedge, biconcavity, crush.

    Returns
    -------
    float
        0 to 3.

    Examples
    --------
    >>> genant_grade(0.76, 0.9, 1.0), genant_grade(0.95, 0.55, 1.0), genant_grade(1.1)
    (1.0, 3.0, 0.0)
    """
    loss = round(1.0 - min(ratios), 9)
    return float(sum(loss >= limit for limit in GENANT_LIMITS))


def meyerding_grade(slip_mm: float, slip_percent: float) -> float:
    """Grade of a forward slip.

    Parameters
    ----------
    slip_mm, slip_percent : float
        Of the depth of the vertebra below; not negative.

    Returns
    -------
    float
        0 to 5.

    Examples
    --------
    >>> meyerding_grade(2.0, 6.0), meyerding_grade(5.0, 14.0), meyerding_grade(12.0, 34.0)
    (0.0, 1.0, 2.0)
    """
    if slip_mm < LEAST_SLIP_MM:
        return 0.0
    return float(min(1 + int(slip_percent // MEYERDING_STEP_PERCENT), MEYERDING_HIGHEST))

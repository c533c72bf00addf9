"""The steps of a job in their order, and how far along the whole of it each one is."""

from __future__ import annotations

from typing import Final

SHARES: Final[dict[str, float]] = {
    "prepare": 0.02,
    "select_series": 0.03,
    "assemble_volume": 0.05,
    "segment_semantic": 0.50,
    "segment_instances": 0.25,
    "postprocess": 0.05,
    "label_vertebrae": 0.01,
    "measure_spine": 0.02,
    "assess_quality": 0.01,
    "write_segmentation": 0.04,
    "publish": 0.02,
}
"""Step -> its part of the time of a job, about (lumbar series, bundled models); the sum is 1."""


def overall(step: str, fraction: float) -> float:
    """How far a job is as a whole.

    Parameters
    ----------
    step : str
        Where it is; empty: not begun.
    fraction : float
        Part of this step that is done.

    Returns
    -------
    float
        In [0, 1]; a step that is not in the table counts as one just before the end.

    Examples
    --------
    >>> round(overall("segment_semantic", 0.5), 2)
    0.35
    """
    if not step:
        return 0.0
    before = 0.0
    for name, share in SHARES.items():
        if name == step:
            return min(before + share * min(max(fraction, 0.0), 1.0), 1.0)
        before += share
    return 1.0 - SHARES["publish"]

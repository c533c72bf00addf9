"""What lies beside a part of the spine in one direction."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from operators.spine.label_statistics import is_one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.thresholds import Spacing


@dataclass(frozen=True, slots=True)
class Look:
    """Where to look, how far and for what.

    Attributes
    ----------
    direction : (3,) ndarray
        Unit vector along (R, I, P) in mm.
    reach_mm : float
        From the surface; rounded up to whole voxels.
    wanted : tuple of int
        Labels that are looked for; everything else is looked through.
    """

    direction: NDArray[np.float64]
    reach_mm: float
    wanted: tuple[int, ...]


def first_met(
    labels: NDArray[np.unsignedinteger],
    own: NDArray[np.bool_],
    look: Look,
    spacing_zyx_mm: Spacing,
) -> NDArray[np.unsignedinteger]:
    """Label that is met first from each surface voxel of a part that faces a direction.

    Parameters
    ----------
    labels : (R, I, P) ndarray
        What may be met.
    own : (R, I, P) ndarray of bool
        The part; its own voxels are looked through.
    look : Look
        Direction, reach and labels.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.

    Returns
    -------
    (N,) ndarray
        One of ``look.wanted``, or 0 where none is met; N = 0 for an empty part.
    """
    step = look.direction / np.asarray(spacing_zyx_mm)
    per_mm = float(np.abs(step).max())
    step = step / per_mm  # one voxel along the axis that is crossed fastest
    places = np.argwhere(own)
    target, inside = _shifted(places, step, own.shape)
    places = places[~(own[tuple(target.T)] & inside)]
    met = np.zeros(len(places), labels.dtype)
    for steps in range(1, ceil(look.reach_mm * per_mm) + 1):
        on_the_way = np.flatnonzero(met == 0)
        target, inside = _shifted(places[on_the_way], step * steps, own.shape)
        index = tuple(target[inside].T)
        found = np.where(own[index], 0, labels[index])
        met[on_the_way[inside]] = np.where(is_one_of(found, look.wanted), found, 0)
    return met


def _shifted(
    places: NDArray[np.intp], step: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Places moved by a step, and which of them lie in the array; the others stay."""
    target = places + np.floor(step + 0.5).astype(np.intp)
    inside = np.all((target >= 0) & (target < np.array(shape)), axis=1)
    inside = np.asarray(inside, dtype=np.bool_)
    return np.where(inside[:, None], target, places), inside

"""What every kind of evidence makes a path of levels cost, in nats.

Each function looks at one kind of evidence and gives one cost per path. Figures of sizes are
compared with those of `operators.spine.levels.tables`, after the person's own offset is taken out:
a small person's vertebrae are all small. Neighbours resemble each other and the masks' errors too,
so sizes together count less than their number says (`SIZE_WEIGHT`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import log_ndtr

from operators.anatomy.vertebrae import ATLAS_INSTANCE, AXIS_INSTANCE
from operators.spine.levels.figures import is_tall
from operators.spine.levels.network import network_costs
from operators.spine.levels.tables import BODY, MEANS, PERSON_SPREADS, PROCESSES, SPREADS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.levels.measures import SpineMeasures
    from operators.spine.levels.path import Paths

    Costs = NDArray[np.float64]

SIZE_WEIGHT: Final = 0.5
"""Chosen on the fitting seeds for confidences that are the shares of right names."""

WORST: Final = 3.0
"""Standard deviations beyond which a figure costs no more: broken bodies and mask errors."""

NOT_LAST: Final = 8.0
"""A sacrum follows, but the path does not end above one."""

NO_SACRUM: Final = 1.0
"""No sacrum follows, but the path ends where one would: at the edge of the image or unseen."""

NOT_ATLAS: Final = 12.0
"""C1 was recognised (`operators.spine.atlas.is_atlas`), but the path begins elsewhere."""

NO_ATLAS: Final = 3.0
"""The path begins with C1, but the topmost vertebra doesn't look like it: it has a body."""

NOT_TALL: Final = 6.0
"""The topmost body is as high as C2's alone, but the path has another vertebra there: two that the
masks took for one would look so."""

ROOM_MM: Final = 40.0
"""So much image above the topmost vertebra would hold another one."""

UNUSED_ROOM: Final = 2.0
"""There is that room, but the path begins below C2."""

CONUS_AT, CONUS_SPREAD = 0.25, 0.9
"""Place of the cord's tip below the middle of L1 and its standard deviation, in vertebrae: most
people's lies between T12 and L2 (Saifuddin et al. 1998, Spine 23:1452)."""

CONUS_WORST: Final = 8.0

HALF: Final = 0.5
"""A vertebra beside which the cord runs at more than this share of the rows lies above its tip."""


def costs_of(spine: SpineMeasures, paths: Paths) -> dict[str, Costs]:
    """Cost of every path by kind of evidence.

    Parameters
    ----------
    spine : SpineMeasures
        At least one vertebra.
    paths : Paths
        Over its places.

    Returns
    -------
    dict of str to (P,) ndarray
        ``sacrum``, ``atlas``, ``axis``, ``room``, ``conus``, ``bodies``, ``processes`` and
        ``network``.
    """
    begins = paths.levels[:, 0]
    is_top = (begins == ATLAS_INSTANCE) | (begins == AXIS_INSTANCE)
    has_room = spine.room_above_mm >= ROOM_MM
    return {
        "sacrum": np.where(
            paths.is_last, 0.0 if spine.has_sacrum else NO_SACRUM, NOT_LAST * spine.has_sacrum
        ),
        "atlas": np.where(
            begins == ATLAS_INSTANCE,
            # Of a vertebra whose body lies above the image, arch and processes don't tell.
            NO_ATLAS * (not spine.has_atlas and spine.vertebrae[0].has_body),
            NOT_ATLAS * spine.has_atlas,
        ),
        "axis": _axis(spine, paths),
        "room": np.where(is_top, 0.0, UNUSED_ROOM * has_room),
        "conus": _conus(spine, paths),
        "bodies": _sizes(spine, paths, BODY),
        "processes": _sizes(spine, paths, PROCESSES) + _beyond(spine, paths),
        "network": network_costs(spine, paths),
    }


def _axis(spine: SpineMeasures, paths: Paths) -> Costs:
    """C2 by its dens, which makes its body higher than deep; also if the upper border cuts it."""
    top = next((n for n, v in enumerate(spine.vertebrae) if v.has_body), 0)
    cost = NOT_TALL * is_tall(spine.vertebrae[top].figures)
    return np.where(paths.levels[:, top] == AXIS_INSTANCE, 0.0, cost)


def _sizes(spine: SpineMeasures, paths: Paths, names: tuple[str, ...]) -> Costs:
    total = np.zeros(paths.count)
    for name in names:
        seen = [n for n, v in enumerate(spine.vertebrae) if name in v.figures]
        if not seen:
            continue
        values = np.array([spine.vertebrae[n].figures[name] for n in seen])
        levels = paths.levels[:, seen]
        total += _misfit(values - MEANS[name][levels], SPREADS[name][levels], PERSON_SPREADS[name])
    return SIZE_WEIGHT * total


def _misfit(rests: Costs, spreads: Costs, person: float) -> Costs:
    """Cost of what is left of figures after the person's own offset, per path.

    The offset is the most probable one under a normal distribution about 0. A level without a
    typical value for the figure (NaN) costs as much as the worst fit.
    """
    is_known = np.isfinite(rests)
    weights = np.where(is_known, 1.0 / spreads**2, 0.0)
    rests = np.where(is_known, rests, 0.0)
    offset = (weights * rests).sum(axis=1) / (weights.sum(axis=1) + 1.0 / person**2)
    scaled = np.where(is_known, (rests - offset[:, None]) / spreads, WORST)
    each = np.minimum(scaled**2, WORST**2) / 2 + np.where(is_known, np.log(spreads), 0.0)
    return np.asarray(each.sum(axis=1) + (offset / person) ** 2 / 2)


def _beyond(spine: SpineMeasures, paths: Paths) -> Costs:
    """Transverse processes that reach the image's border are at least so long."""
    total = np.zeros(paths.count)
    for n, vertebra in enumerate(spine.vertebrae):
        if "costal_beyond" in vertebra.figures:
            levels = paths.levels[:, n]
            mean, spread = MEANS["costal_reach"][levels], SPREADS["costal_reach"][levels]
            spread = np.hypot(spread, PERSON_SPREADS["costal_reach"])
            cost = -log_ndtr((mean - vertebra.figures["costal_beyond"]) / spread)
            total += np.clip(np.nan_to_num(cost, nan=WORST**2 / 2), 0.0, WORST**2 / 2)
    return SIZE_WEIGHT * total


def _conus(spine: SpineMeasures, paths: Paths) -> Costs:
    """Where the cord ends: beside a vertebra in view, above or below all of them."""
    shares = [(n, v.figures["cord"]) for n, v in enumerate(spine.vertebrae) if "cord" in v.figures]
    if not shares or max(share for _, share in shares) == 0.0:
        return np.zeros(paths.count)
    inside = [n for n, share in shares if share >= HALF]
    last = max(inside, default=shares[0][0])
    at = (paths.from_first_lumbar[:, last] + HALF - CONUS_AT) / CONUS_SPREAD
    is_seen = last < shares[-1][0] and bool(inside)
    cost = at**2 / 2 if is_seen else -log_ndtr(-at if inside else at - 1.0 / CONUS_SPREAD)
    return np.minimum(cost, CONUS_WORST)

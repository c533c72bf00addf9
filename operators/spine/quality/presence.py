"""Is what was found a spine at all? Named rules on millimetres, before anything is written.

The networks answer every image, also a knee, a brain or noise. A spine is a column of bodies of
plausible size and spacing, with discs between and a canal behind them. Cropped fields of view
must pass: nothing here asks for a level, a sacrum or a number of vertebrae beyond two. What passes
here and is doubtful is the business of the rules (`operators.spine.quality.rules`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import VERTEBRA_INSTANCES, Structure
from operators.errors import NoSpineFoundError
from operators.imaging.volume import voxel_volume_mm3
from operators.spine.label_statistics import centres_of, is_one_of, voxel_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap

    Points = NDArray[np.float64]

BODY_MM3 = (800.0, 110_000.0)
"""Volume of one body, mm^3: a child's C3 in a thin slab is about 2000, adult L5 up to 60 000, two
merged lumbar bodies 100 000 (98 000 in the reference case clin8). Femoral condyles exceed it."""

STEP_MM = (8.0, 60.0)
"""Distance of neighbouring body centres, mm: infant cervical about 9, adult lumbar up to 45
(24.7-42.3 in the reference volumes); 60 lets no second body be missed in between."""

LEAST_STEEPNESS = 0.5
"""Vertical share of a step: up to 60 degrees off the vertical, for kyphosis and L5/S1."""

DISC_MM3 = 100.0
"""Disc tissue between two bodies, mm^3; a cervical disc in a 9 mm slab is about 300."""

DISC_RADIUS_MM = 20.0
"""Distance from the line through both centres within which disc tissue counts, mm."""

CANAL_MM3 = 30.0
"""Canal or cord behind a body, mm^3: less than 1 mm of a canal of 10 mm diameter."""

CANAL_BEHIND_MM = 50.0
"""Furthest a canal lies behind a body's centre, mm (adult L3: half a body 18 + canal 10)."""

CANAL_BESIDE_MM = 20.0
"""Furthest a canal lies beside a body's centre, mm; scoliosis included."""

CANAL_HEIGHT_MM = 8.0
"""Slab around a body's height in which the canal is looked for, mm up and down."""

ENOUGH_SHARE = 0.5
"""Share of bodies (steps) that must have a canal (a disc)."""

FEWEST_BODIES = 2
STRONG_COLUMN = 4
"""From this many bodies on either discs or canal will do; a shorter column needs both."""

LONG_COLUMN = 5
"""From this many bodies on the column may be short for the image."""

LEAST_COVERAGE = 0.3
"""Share of the image's height that a shorter column covers. A spine protocol is centred on the
spine (>= 0.5 in the reference volumes); C2-C4 at the lower edge of a head image cover 0.2."""


@dataclass(frozen=True, slots=True)
class SpineEvidence:
    """What speaks for a spine.

    Attributes
    ----------
    bodies : int
        Length of the longest column of plausible bodies.
    disc_share, canal_share : float
        Share of its steps with a disc, of its bodies with a canal behind.
    coverage : float
        Share of the image's height that the column covers.
    reasons : tuple of str
        Every rule that is broken; empty for a spine.
    """

    bodies: int
    disc_share: float
    canal_share: float
    coverage: float
    reasons: tuple[str, ...]


def require_spine(semantic: LabelMap, instances: LabelMap) -> SpineEvidence:
    """Refuse a result that is no spine.

    Parameters
    ----------
    semantic, instances : LabelMap
        Final maps on one grid, any orientation.

    Returns
    -------
    SpineEvidence
        Without reasons.

    Raises
    ------
    NoSpineFoundError
        With all reasons of `judge_spine`.
    """
    evidence = judge_spine(semantic, instances)
    if evidence.reasons:
        raise NoSpineFoundError(reasons=evidence.reasons)
    return evidence


def judge_spine(semantic: LabelMap, instances: LabelMap) -> SpineEvidence:
    """Weigh what speaks for a spine.

    Parameters
    ----------
    semantic, instances : LabelMap
        Final maps on one grid, any orientation.

    Returns
    -------
    SpineEvidence
        Reasons out of ``no_vertebral_body``, ``no_column_of_bodies``, ``no_disc_between_bodies``,
        ``no_canal_behind_bodies``, ``column_short_for_field_of_view``.
    """
    bodies = np.where(semantic.labels_zyx == Structure.CORPUS, instances.labels_zyx, 0)
    bodies[~is_one_of(bodies, sorted(VERTEBRA_INSTANCES))] = 0
    if not bodies.any():
        return SpineEvidence(0, 0.0, 0.0, 0.0, ("no_vertebral_body",))
    column = _longest_column(_plausible_centres_lps(bodies, instances.affine_lps))
    if len(column) < FEWEST_BODIES:
        return SpineEvidence(len(column), 0.0, 0.0, 0.0, ("no_column_of_bodies",))
    discs = _disc_share(column, semantic)
    canal = _canal_share(column, semantic)
    coverage = _coverage(column, semantic)
    return SpineEvidence(
        len(column), discs, canal, coverage, _broken_rules(len(column), discs, canal, coverage)
    )


def _broken_rules(bodies: int, discs: float, canal: float, coverage: float) -> tuple[str, ...]:
    has_discs, has_canal = discs >= ENOUGH_SHARE, canal >= ENOUGH_SHARE
    is_weak = bodies < STRONG_COLUMN or not (has_discs or has_canal)
    rules = {
        "no_disc_between_bodies": is_weak and not has_discs,
        "no_canal_behind_bodies": is_weak and not has_canal,
        "column_short_for_field_of_view": bodies < LONG_COLUMN and coverage < LEAST_COVERAGE,
    }
    return tuple(name for name, is_broken in rules.items() if is_broken)


def _plausible_centres_lps(
    bodies: NDArray[np.unsignedinteger], affine_lps: NDArray[np.float64]
) -> Points:
    """Centres (mm) of the bodies of plausible size, from top to bottom."""
    least, most = BODY_MM3
    voxel = voxel_volume_mm3(affine_lps)
    sizes = voxel_counts(bodies)
    indices = [c for n, c in centres_of(bodies).items() if least <= sizes[n] * voxel <= most]
    places = _to_lps(np.array(indices).reshape(-1, 3), affine_lps)
    return places[np.argsort(-places[:, 2], kind="stable")]


def _to_lps(indices: NDArray[np.number], affine_lps: NDArray[np.float64]) -> Points:
    return np.asarray(indices @ affine_lps[:3, :3].T + affine_lps[:3, 3])


def _longest_column(centres: Points) -> Points:
    """Longest run of neighbours whose steps are plausible."""
    best = run = centres[:1]
    for above, centre in pairwise(centres):
        run = np.vstack([run, centre]) if _is_step(centre - above) else centre[None]
        if len(run) > len(best):
            best = run
    return best


def _is_step(step: Points) -> bool:
    length = float(np.linalg.norm(step))
    return STEP_MM[0] <= length <= STEP_MM[1] and -step[2] >= LEAST_STEEPNESS * length


def _points_of(semantic: LabelMap, wanted: tuple[int, ...]) -> Points:
    return _to_lps(np.argwhere(is_one_of(semantic.labels_zyx, wanted)), semantic.affine_lps)


def _disc_share(column: Points, semantic: LabelMap) -> float:
    points = _points_of(semantic, (Structure.DISC,))
    needed = DISC_MM3 / voxel_volume_mm3(semantic.affine_lps)
    hits = 0
    for above, below in pairwise(column):
        step = below - above
        length = float(np.linalg.norm(step))
        offset = points - (above + below) / 2
        along = offset @ step / length
        squared = (offset**2).sum(axis=1) - along**2
        is_between = (np.abs(along) <= length / 2) & (squared <= DISC_RADIUS_MM**2)
        hits += int(np.count_nonzero(is_between) >= needed)
    return hits / (len(column) - 1)


def _canal_share(column: Points, semantic: LabelMap) -> float:
    points = _points_of(semantic, (Structure.CORD, Structure.CANAL))
    needed = CANAL_MM3 / voxel_volume_mm3(semantic.affine_lps)
    hits = 0
    for centre in column:
        beside, behind, above = (points - centre).T
        is_behind = (behind > 0) & (behind <= CANAL_BEHIND_MM) & (np.abs(beside) <= CANAL_BESIDE_MM)
        found = np.count_nonzero(is_behind & (np.abs(above) <= CANAL_HEIGHT_MM))
        hits += int(found >= needed)
    return hits / len(column)


def _coverage(column: Points, semantic: LabelMap) -> float:
    """Height of the column, half a step added at both ends, over the height of the image."""
    last = np.array(semantic.labels_zyx.shape) - 1
    corners = _to_lps(
        np.array(np.meshgrid(*([0, n] for n in last))).reshape(3, -1).T, semantic.affine_lps
    )
    height = float(np.ptp(corners[:, 2])) or 1.0
    span = float(np.ptp(column[:, 2]))
    return min(span * len(column) / (len(column) - 1) / height, 1.0)

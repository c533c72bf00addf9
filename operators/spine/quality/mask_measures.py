"""What the rules measure on the masks alone, by the place it is measured at.

Every function takes the evidence and gives values by place (``vertebra_3``, or ``spine``); what
cannot be measured has no value. Limits are the business of `operators.spine.quality.rules`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import LEFT_RIGHT_PAIRS, Structure
from operators.anatomy.vertebrae import vertebra_text
from operators.spine.bodiless import SLIVER_SHARE
from operators.spine.label_statistics import is_one_of
from operators.spine.levels.measures import DISC_SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.quality.evidence import Body, Evidence, Points

Values = dict[str, float]

SPINE: Final = "spine"
"""Place of what belongs to no single vertebra."""

_AROUND: Final = 2
"""Bodies on each side that a body is compared with."""

_BEHIND_MM: Final = 50.0
"""Furthest a canal lies behind a body's centre (adult L3: half a body 18 + canal 10)."""

_SLAB_MM: Final = 3.0
"""Half the height of the slab behind a body in which the canal is measured."""

_CUT_SHARE: Final = 0.4
"""Of a body's largest section: with more of it on a border, half of the body may lie outside."""

_CUT_CANAL: Final = 0.7
"""Of the canal's largest sagittal section: with more of it on a border, that lies within 7 mm of
the middle of a canal of 20 mm, so within the middle third of a body of 42 mm, in which heights are
measured (`operators.spine.measurements`)."""

_LINE_SAMPLES: Final = 40
_LINES_MM: Final = np.array([-6.0, -3.0, 0.0, 3.0, 6.0])
"""Lines from one body's centre to the next, in front of and behind the middle one."""

_LEAST_LATERAL: Final = 50
"""Voxels of left or right parts from which their sides can be judged."""

_BACK, _LEFT = 1, 0


def place_of(body: Body) -> str:
    """Name of a vertebra in findings."""
    return vertebra_text(body.number).replace(" ", "_")


def drops_mm(evidence: Evidence) -> Values:
    """How far every body lies below the one before it."""
    return {
        place_of(below): float(above.centre_lps[2] - below.centre_lps[2])
        for above, below in pairwise(evidence.bodies)
    }


def step_ratios(evidence: Evidence) -> Values:
    """Distance to the body above, over what the tallest of both and of those around lets expect."""
    ratios = {}
    for n in range(1, len(evidence.bodies)):
        typical = _typical_mm(evidence, n - 1, n)
        if evidence.is_alike[n - 1] and np.isfinite(typical):
            tallest = float(np.nanmax([typical, *evidence.heights_mm[n - 1 : n + 1]]))
            expected = (1.0 + DISC_SHARE) * tallest
            ratios[place_of(evidence.bodies[n])] = _distance(evidence, n) / expected
    return ratios


def span_ratios(evidence: Evidence) -> Values:
    """Reach of a body and the one above it together, over the height of others around."""
    spans = {}
    for n in range(1, len(evidence.bodies)):
        typical = _typical_mm(evidence, n - 1, n)
        both = evidence.heights_mm[n - 1 : n + 1]
        is_known = evidence.is_alike[n - 1] and np.isfinite(both).all()
        if is_known and np.isfinite(typical):
            span = _distance(evidence, n) + both.mean()
            spans[place_of(evidence.bodies[n])] = float(span / typical)
    return spans


def height_ratios(evidence: Evidence) -> Values:
    """Height of a body over the median of others around."""
    return {
        place_of(body): float(height / typical)
        for n, (body, height) in enumerate(zip(evidence.bodies, evidence.heights_mm, strict=True))
        if evidence.is_alike[n]
        and np.isfinite(typical := _typical_mm(evidence, n))
        and np.isfinite(height)
    }


def tallness_ratios(evidence: Evidence) -> Values:
    """Height of a body over the tallest of those around, which is no fractured one."""
    heights = np.where(evidence.is_alike, evidence.heights_mm, np.nan)
    return {
        place_of(body): float(heights[n] / around.max())
        for n, body in enumerate(evidence.bodies)
        if len(around := _others(heights, n)) and np.isfinite(heights[n])
    }


def second_pieces(evidence: Evidence) -> Values:
    """Share of a body that lies apart from the rest of it.

    What the image's border leaves of a body, less than an eighth of its neighbour, may well lie in
    pieces: its end surface is hollow.
    """
    bodies = evidence.bodies
    return {
        place_of(body): body.second_piece
        for body, neighbour in zip(bodies, (*bodies[1:2], *bodies), strict=False)
        if not (body.is_cut and body.volume_mm3 < SLIVER_SHARE * neighbour.volume_mm3)
    }


def depths_mm(evidence: Evidence) -> Values:
    """Depth of every body from front to back that no border cuts."""
    found = {}
    for body, down in zip(evidence.bodies, evidence.down, strict=True):
        if not body.is_cut and _edge_share(evidence, body.index, 2) == 0.0:
            found[place_of(body)] = body.length_mm(_backwards(down))
    return found


def unlabelled_shares(evidence: Evidence) -> Values:
    """Share without any label of the line from a body's centre to the one above it."""
    return {place: shares[0] for place, shares in _along(evidence).items()}


def disc_shares(evidence: Evidence) -> Values:
    """Share of disc on the line from a body's centre to the one above it."""
    return {place: shares[1] for place, shares in _along(evidence).items()}


def _along(evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Shares without label and of disc between neighbours, on the median and the best line."""
    labels = evidence.parts.labels_zyx
    to_index = np.linalg.inv(evidence.parts.affine_lps)
    steps, aside = np.linspace(0.0, 1.0, _LINE_SAMPLES)[:, None, None], _LINES_MM[None, :, None]
    found = {}
    for n, (above, below) in enumerate(pairwise(evidence.centres_lps), start=1):
        lines = above + steps * (below - above) + aside * _backwards(evidence.down[n])
        index = np.rint(lines @ to_index[:3, :3].T + to_index[:3, 3]).astype(np.intp)
        k, j, i = np.moveaxis(np.clip(index, 0, np.array(labels.shape) - 1), -1, 0)
        met = labels[k, j, i]
        nothing, disc = (met == 0).mean(axis=0), (met == Structure.DISC).mean(axis=0)
        found[place_of(evidence.bodies[n])] = float(np.median(nothing)), float(disc.max())
    return found


def canal_depths_mm(evidence: Evidence) -> Values:
    """Depth of the canal with its cord, the median over the bodies it is seen behind."""
    depths = [depth for depth, _ in _canal_behind(evidence).values() if depth > 0]
    return {SPINE: float(np.median(depths))} if depths else {}


def canal_shares(evidence: Evidence) -> Values:
    """Share of the bodies with a canal behind."""
    behind = _canal_behind(evidence)
    return {SPINE: float(np.mean([depth > 0 for depth, _ in behind.values()]))} if behind else {}


def _canal_behind(evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Depth of the canal behind every body, and how far to the left of the body it runs; mm."""
    tube, found, step_mm = evidence.tube_lps, {}, evidence.parts.spacing_zyx_mm[2]
    for body, down in zip(evidence.bodies, evidence.down, strict=True):
        offsets = tube - body.centre_lps
        behind = offsets @ _backwards(down)
        near = (np.abs(offsets @ down) <= _SLAB_MM) & (behind > 0) & (behind <= _BEHIND_MM)
        depth, beside = 0.0, 0.0
        if near.any():
            beside = float(offsets[near, _LEFT].mean())
            middle = near & (np.abs(offsets[:, _LEFT] - beside) <= evidence.parts.spacing_zyx_mm[0])
            depth = float(np.ptp(behind[middle])) + step_mm if middle.any() else 0.0
        found[place_of(body)] = (depth, beside)
    return found


def side_shares(evidence: Evidence) -> Values:
    """Share of the parts called left or right that lie on that side of their vertebra's body."""
    labels = evidence.parts.labels_zyx
    lefts, rights = zip(*LEFT_RIGHT_PAIRS, strict=True)
    index = np.argwhere(is_one_of(labels, (*lefts, *rights)))
    owners = evidence.numbers.labels_zyx[tuple(index.T)]
    known = {body.number: body.centre_lps[_LEFT] for body in evidence.bodies}
    has_body = is_one_of(owners, tuple(known)) if known else np.zeros(len(owners), bool)
    index, owners = index[has_body], owners[has_body]
    if len(index) < _LEAST_LATERAL:
        return {}
    middle = np.zeros(max(int(owners.max()), *known) + 1)
    middle[list(known)] = list(known.values())
    aside = evidence.places_lps(index)[:, _LEFT] - middle[owners]
    is_left = is_one_of(labels[tuple(index.T)], lefts)
    far = np.abs(aside) > evidence.parts.spacing_zyx_mm[0] / 2
    if not far.any():
        return {}
    return {SPINE: float(((aside > 0) == is_left)[far].mean())}


def cut_bodies(evidence: Evidence) -> Values:
    """Bodies in which the image ends in front or behind: how many."""
    bodies = evidence.bodies
    cut = [_edge_share(evidence, bodies[n].index, 2) > _CUT_SHARE for n in _whole(evidence)]
    return {SPINE: float(sum(cut))} if cut else {}


def canals_on_the_side(evidence: Evidence) -> Values:
    """Share of the bodies whose middle lies at the first or the last slice, or beyond.

    The canal behind a body marks its middle; a body without one is judged by itself. A curved spine
    leaves a narrow stack with the flanks of its bodies: as long as the mid-sagittal plane stays in
    view, heights and canal can be read and measured.
    """
    shares = [
        _edge_share(evidence, _canal_of(evidence, n), 0) > _CUT_CANAL for n in _whole(evidence)
    ]
    return {SPINE: float(np.mean(shares))} if shares else {}


def _whole(evidence: Evidence) -> list[int]:
    """Places of the bodies that the upper and the lower border leave whole; all, if none is."""
    places = range(len(evidence.bodies))
    return [n for n in places if not evidence.bodies[n].is_cut] or list(places)


def _canal_of(evidence: Evidence, n: int) -> NDArray[np.intp]:
    """Voxels of the canal behind a body, or of the body where there are none."""
    body, down = evidence.bodies[n], evidence.down[n]
    offsets = evidence.tube_lps - body.centre_lps
    behind = offsets @ _backwards(down)
    near = (np.abs(offsets @ down) <= _SLAB_MM) & (behind > 0) & (behind <= _BEHIND_MM)
    return evidence.tube_index[near] if near.any() else body.index


def _edge_share(evidence: Evidence, index: NDArray[np.intp], axis: int) -> float:
    areas = np.bincount(index[:, axis], minlength=evidence.parts.labels_zyx.shape[axis])
    return float(max(areas[0], areas[-1]) / areas.max())


def _backwards(down: Points) -> Points:
    """Turn to the back, across the spine: a unit vector."""
    back = np.array([0.0, 1.0, 0.0]) - down[_BACK] * down
    length = float(np.linalg.norm(back))
    return back / length if length > 0.1 else np.array([0.0, 0.0, 1.0])  # noqa: PLR2004


def _distance(evidence: Evidence, n: int) -> float:
    return float(np.linalg.norm(evidence.centres_lps[n] - evidence.centres_lps[n - 1]))


def _typical_mm(evidence: Evidence, *places: int) -> float:
    """Median height of the bodies around some; NaN where none is known."""
    around = _others(np.where(evidence.is_alike, evidence.heights_mm, np.nan), *places)
    return float(np.median(around)) if len(around) else float("nan")


def _others(values: Points, *places: int) -> Points:
    """Known values of the bodies around some, without these."""
    first, last = min(places), max(places)
    around = range(max(first - _AROUND, 0), min(last + _AROUND + 1, len(values)))
    kept = values[[n for n in around if n not in places]]
    return np.asarray(kept[np.isfinite(kept)])

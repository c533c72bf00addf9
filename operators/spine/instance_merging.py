"""From overlapping guesses to vertebrae: which predictions mean the same one, and what it covers.

Every cutout predicts the vertebra above, the centred one and the one below, so each vertebra is
predicted up to three times. Predictions that agree form a couple; couples vote, best first.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from operators.imaging.components import components, fill_holes
from operators.imaging.cropping import bounding_box
from operators.imaging.volume import SparseMask
from operators.spine.label_statistics import boxes_of, mapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from operators.imaging.cropping import Box

Triple = tuple[SparseMask | None, SparseMask | None, SparseMask | None]
"""What one cutout says: the vertebra above, this one, the one below."""

Place = tuple[int, int]
"""Index of the centre (0 = lowest), index within its triple."""

REACH_CENTRES = 2
"""Predictions of centres further apart than this are never the same vertebra (SPINEPS)."""

SAME_VERTEBRA_DICE = 0.3
"""Two predictions above this overlap mean the same vertebra (SPINEPS)."""

MOST_PARTNERS = 2
WEAK_TRIPLE_AGREEMENT = 0.45
"""Triples that agree less than this are painted whole instead of by majority (SPINEPS)."""

TAKEN_SHARE = 0.6
"""A couple with a bigger share on voxels already given away is the same vertebra again."""


@dataclass(frozen=True, slots=True)
class Couple:
    """Predictions of the same vertebra.

    Attributes
    ----------
    members : tuple of (centre index, class index)
        One to three, by centre index.
    agreement : float
        Mean Dice between a prediction and its partners, 0 for a single one.
    """

    members: tuple[Place, ...]
    agreement: float

    @property
    def priority(self) -> float:
        """Bigger is painted first."""
        return (len(self.members) + 1) * self.agreement

    @property
    def votes_needed(self) -> int:
        """Members that must cover a voxel."""
        is_strong = len(self.members) > MOST_PARTNERS and self.agreement >= WEAK_TRIPLE_AGREEMENT
        return 2 if is_strong else 1


def usable_predictions(triples: Sequence[Triple]) -> dict[Place, SparseMask]:
    """Non-empty predictions by place, their boxes shrunk to the mask."""
    found = {}
    for (centre, triple), kind in product(enumerate(triples), range(3)):
        prediction = triple[kind]
        if prediction is None:
            continue
        inner = bounding_box(prediction.mask_zyx)
        if inner is not None:
            k, j, i = (
                slice(outer.start + side.start, outer.start + side.stop)
                for outer, side in zip(prediction.box, inner, strict=True)
            )
            found[centre, kind] = SparseMask((k, j, i), prediction.mask_zyx[inner])
    return found


def couple_predictions(predictions: Mapping[Place, SparseMask]) -> list[Couple]:
    """Group the predictions that mean the same vertebra.

    Parameters
    ----------
    predictions : mapping from place to SparseMask
        Not empty masks.

    Returns
    -------
    list of Couple
        Best first; a couple found from several of its members appears once with the mean of
        their agreements.
    """
    places = sorted(predictions)
    sizes = {place: int(np.count_nonzero(predictions[place].mask_zyx)) for place in places}
    dice: dict[tuple[Place, Place], float] = {}
    for n, one in enumerate(places):
        for other in places[n + 1 :]:
            if 0 < other[0] - one[0] <= REACH_CENTRES:
                shared = _shared_voxels(predictions[one], predictions[other])
                dice[one, other] = dice[other, one] = 2 * shared / (sizes[one] + sizes[other])
    agreements: dict[tuple[Place, ...], list[float]] = {}
    for place in places:
        partners = _partners(place, places, dice)
        agreement = sum(dice[place, other] for other in partners) / max(len(partners), 1)
        agreements.setdefault(tuple(sorted((*partners, place))), []).append(agreement)
    couples = [Couple(members, sum(all_) / len(all_)) for members, all_ in agreements.items()]
    return sorted(couples, key=lambda couple: -couple.priority)


def _partners(
    place: Place, places: list[Place], dice: Mapping[tuple[Place, Place], float]
) -> list[Place]:
    """Up to two predictions that mean the same vertebra as this one, best first."""
    ranked = sorted(
        (other for other in places if dice.get((place, other), 0.0) > SAME_VERTEBRA_DICE),
        key=lambda other: -dice[place, other],
    )[:MOST_PARTNERS]
    if len(ranked) == MOST_PARTNERS:
        first, second = ranked
        if dice.get((first, second), 0.0) < SAME_VERTEBRA_DICE:
            return [first]
    return ranked


def _shared_voxels(one: SparseMask, other: SparseMask) -> int:
    window = [
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(one.box, other.box, strict=True)
    ]
    if any(side.start >= side.stop for side in window):
        return 0
    return int(np.count_nonzero(_cut(one, window) & _cut(other, window)))


def _cut(prediction: SparseMask, window: Sequence[slice]) -> NDArray[np.bool_]:
    return prediction.mask_zyx[_relative(window, prediction.box)]


def _relative(window: Sequence[slice], box: Box) -> Box:
    k, j, i = (
        slice(side.start - outer.start, side.stop - outer.start)
        for side, outer in zip(window, box, strict=True)
    )
    return k, j, i


def paint_couples(
    couples: Sequence[Couple],
    predictions: Mapping[Place, SparseMask],
    shape_zyx: tuple[int, int, int],
) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    """Give every couple its voxels, best couple first.

    Parameters
    ----------
    couples : sequence of Couple
        Best first.
    predictions : mapping from place to SparseMask
        Boxes inside the shape.
    shape_zyx : tuple of 3 ints
        Of the result.

    Returns
    -------
    instances : (Z, Y, X) ndarray of uint16
        1, 2, 3 ... in the order of painting.
    warnings : tuple of str
        ``couple_without_voxels: n`` if n couples had no majority anywhere and were dropped.
    """
    instances = np.zeros(shape_zyx, np.uint16)
    painted = 0
    empty = 0
    for couple in couples:
        boxes = [predictions[place].box for place in couple.members]
        k, j, i = (
            slice(min(b[axis].start for b in boxes), max(b[axis].stop for b in boxes))
            for axis in range(3)
        )
        window = (k, j, i)
        votes = np.zeros([side.stop - side.start for side in window], np.uint8)
        for place in couple.members:
            member = predictions[place]
            votes[_relative(member.box, window)] += member.mask_zyx
        chosen = votes >= couple.votes_needed
        free = chosen & (instances[window] == 0)
        size, size_free = int(np.count_nonzero(chosen)), int(np.count_nonzero(free))
        if size == 0:
            empty += 1
        elif (size - size_free) / size <= TAKEN_SHARE:
            painted += 1
            instances[window][free] = painted
    return instances, (f"couple_without_voxels: {empty}",) if empty else ()


def tidy_instances(instances: NDArray[np.uint16], smallest_voxels: int) -> NDArray[np.uint16]:
    """Delete small pieces, fill holes, number the rest 1..n in the same order.

    Parameters
    ----------
    instances : (Z, Y, X) ndarray of uint16
        Vertebrae by number; not changed.
    smallest_voxels : int
        Smaller 6-connected pieces are deleted.

    Returns
    -------
    (Z, Y, X) ndarray of uint16
        All zero if nothing was big enough.
    """
    tidy = instances.copy()
    for label, box in boxes_of(instances).items():
        part = tidy[box]
        found = components(part == label, 6)
        small = np.array([False, *(n < smallest_voxels for n in found.voxel_counts)])
        if small.any():
            part[small[found.labels_zyx]] = 0
    boxes = boxes_of(tidy)
    for label, box in boxes.items():
        part = tidy[box]
        part[fill_holes(part == label) & (part == 0)] = label
    return mapped(tidy, {label: n for n, label in enumerate(boxes, start=1)})

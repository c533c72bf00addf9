"""Make the semantic map and the vertebra instances agree with each other.

Instances come from a coarser grid and a different network, so parts of vertebrae are left without
an instance, and small pieces carry the number of a neighbour. All arrays are PIR ``[R, I, P]`` and
are changed in place; instances are numbered from top to bottom, so that a tie goes to the upper
vertebra.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import VERTEBRA_PARTS, Structure
from operators.imaging.components import components
from operators.spine.atlas import give_dens_to_axis, has_own_processes, is_cervical
from operators.spine.label_statistics import (
    HEIGHT_AXIS,
    boxes_of,
    centres_of,
    is_one_of,
    voxel_counts,
    widened,
)
from operators.spine.thresholds import REFERENCE_VOXEL_MM3, voxels_of_area

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.components import Components
    from operators.spine.thresholds import Spacing

ARTICULARS = (
    Structure.SUPERIOR_ARTICULAR_LEFT,
    Structure.SUPERIOR_ARTICULAR_RIGHT,
    Structure.INFERIOR_ARTICULAR_LEFT,
    Structure.INFERIOR_ARTICULAR_RIGHT,
)

ARTICULAR_DOMINANCE = 2
"""An articular process goes over whole if its main vertebra has more than this times the next."""

GROWTH_VOXELS = 2
"""Instances first grow this far into uncovered vertebra: gaps of the coarser grid (SPINEPS)."""

SPLIT_TOP_RATIO = 0.5
"""A topmost vertebra below this share of the next one's volume may be a piece of it (SPINEPS)."""

SPLIT_TOP_CONTACT_MM2 = 20 * REFERENCE_VOXEL_MM3 ** (2 / 3)
"""... if they touch over more than this: 19 mm^2, 20 faces of the reference grid (SPINEPS)."""

MOST_PIECES = 3
"""Pieces of one vertebra that are looked at, biggest first (SPINEPS)."""

_FACES_AND_EDGES = [o for o in product((-1, 0, 1), repeat=3) if sum(map(abs, o)) <= 2]  # noqa: PLR2004


def settle_articulars(
    semantic: NDArray[np.unsignedinteger], instances: NDArray[np.unsignedinteger]
) -> None:
    """Give each articular process to the one vertebra that clearly holds most of it.

    A process that is mostly without a vertebra becomes free as a whole, so that
    `adopt_missed_parts` decides by what lies around it.

    Parameters
    ----------
    semantic : (R, I, P) ndarray
        Read only.
    instances : (R, I, P) ndarray
        Vertebrae by number, 0 = none; changed.

    """
    boxes = boxes_of(semantic)
    for label in ARTICULARS:
        if label not in boxes:
            continue
        inside = instances[boxes[label]]
        found = components(semantic[boxes[label]] == label, 26)
        winner = _dominant_instances(found, inside)[found.labels_zyx]
        is_settled = winner >= 0
        inside[is_settled] = winner[is_settled]


def _dominant_instances(
    found: Components, instances: NDArray[np.unsignedinteger]
) -> NDArray[np.int64]:
    """Instance that each component goes to, 0 = none of them; -1 = leave it as it is."""
    at = found.labels_zyx > 0
    width = int(instances.max(initial=0)) + 1
    pairs = found.labels_zyx[at].astype(np.int64) * width + instances[at]
    votes = np.bincount(pairs, minlength=(found.count + 1) * width).reshape(-1, width)
    if width == 1:
        return np.full(found.count + 1, -1)
    second, most = np.sort(votes, axis=1)[:, -2:].T
    winner = np.where(most > ARTICULAR_DOMINANCE * second, votes.argmax(axis=1), -1)
    winner[0] = -1
    return np.asarray(winner)


def adopt_missed_parts(
    semantic: NDArray[np.unsignedinteger],
    instances: NDArray[np.unsignedinteger],
    claims: NDArray[np.unsignedinteger],
    of_none: NDArray[np.bool_] | None = None,
) -> tuple[str, ...]:
    """Let every vertebra voxel belong to an instance, and nothing else.

    Instances are cut to the vertebra labels (40-51), grown a little, and what is still uncovered
    goes, piece by piece, to the instance with most voxels around it. A piece with no instance
    around it goes to the one that claimed most of it before; if there was none, it is deleted
    from the semantic map.

    Parameters
    ----------
    semantic, instances : (R, I, P) ndarray
        Both changed.
    claims : (R, I, P) ndarray
        Instances before `settle_articulars`; read only. SPINEPS has no such memory: it deletes
        an articular process that background won and nothing touches.
    of_none : (R, I, P) ndarray of bool, optional
        Vertebra voxels that belong to no vertebra in the image
        (`operators.spine.cut_above.unclaimed_above`) and stay without one.

    Returns
    -------
    tuple of str
        ``vertebra_fragments_deleted: n`` if any were.
    """
    is_vertebra = is_one_of(semantic, VERTEBRA_PARTS)
    if of_none is not None:
        is_vertebra &= ~of_none
    instances[~is_vertebra] = 0
    if not (is_vertebra & (instances == 0)).any():
        return ()
    for _ in range(GROWTH_VOXELS):
        _grow_in_place(instances, is_vertebra)
    found = components(is_vertebra & (instances == 0), 18)
    if found.count == 0:
        return ()
    adopter = _most_frequent_around(found, instances)
    adopter = np.where(adopter > 0, adopter, _most_frequent_inside(found, claims))
    instances += adopter[found.labels_zyx].astype(instances.dtype)
    is_orphan = adopter == 0
    is_orphan[0] = False  # the outside
    semantic[is_orphan[found.labels_zyx]] = 0
    orphans = int(np.count_nonzero(is_orphan))
    return (f"vertebra_fragments_deleted: {orphans}",) if orphans else ()


def _grow_in_place(instances: NDArray[np.unsignedinteger], allowed: NDArray[np.bool_]) -> None:
    """One voxel through faces into free allowed voxels; the lowest number takes contested ones."""
    nothing = np.iinfo(instances.dtype).max
    known = np.where(instances == 0, nothing, instances)
    lowest = np.full_like(known, nothing)
    for axis in range(3):
        before = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        behind = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        np.minimum(lowest[before], known[behind], out=lowest[before])
        np.minimum(lowest[behind], known[before], out=lowest[behind])
    taken = allowed & (instances == 0) & (lowest != nothing)
    instances[taken] = lowest[taken]


def _most_frequent_around(
    found: Components, instances: NDArray[np.unsignedinteger]
) -> NDArray[np.int64]:
    """Most frequent instance among the 18-neighbours of each component; 0 = none around."""
    around = np.pad(instances, 1)
    places = np.nonzero(found.labels_zyx)
    component = found.labels_zyx[places].astype(np.int64)
    here = np.ravel_multi_index([place + 1 for place in places], around.shape)
    steps = np.ravel_multi_index(np.array(_FACES_AND_EDGES).T + 1, around.shape)
    neighbour = here[:, None] + (steps - np.ravel_multi_index((1, 1, 1), around.shape))
    labelled = np.nonzero(around.ravel()[neighbour])
    # A neighbour counts once for a component, however many of its voxels it touches.
    keys = np.unique(component[labelled[0]] * around.size + neighbour[labelled])
    component, voxel = np.divmod(keys, around.size)
    instance = around.ravel()[voxel]
    width = int(instances.max(initial=0)) + 1
    votes = np.bincount(component * width + instance, minlength=(found.count + 1) * width)
    return np.asarray(votes.reshape(-1, width).argmax(axis=1))


def _most_frequent_inside(
    found: Components, instances: NDArray[np.unsignedinteger]
) -> NDArray[np.int64]:
    """Most frequent instance on each component; 0 = none."""
    at = (found.labels_zyx > 0) & (instances > 0)
    width = int(instances.max(initial=0)) + 1
    pairs = found.labels_zyx[at].astype(np.int64) * width + instances[at]
    votes = np.bincount(pairs, minlength=(found.count + 1) * width)
    return np.asarray(votes.reshape(-1, width).argmax(axis=1))


def rejoin_split_top(
    semantic: NDArray[np.unsignedinteger],
    instances: NDArray[np.unsignedinteger],
    spacing_zyx_mm: Spacing,
    edge: NDArray[np.bool_] | None = None,
) -> tuple[str, ...]:
    """Join the two topmost vertebrae if the first is a piece of the second (a split C2).

    If the first is C1 instead, only the dens goes to the second. A vertebra that the upper edge of
    the image cuts is no piece of the one below it.

    Parameters
    ----------
    semantic : (R, I, P) ndarray
        Read only.
    instances : (R, I, P) ndarray
        Changed.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.
    edge : (R, I, P) ndarray of bool, optional
        The image's upper edge (`operators.spine.cut_above.upper_edge`).

    Returns
    -------
    tuple of str
        ``split_topmost_vertebra_joined: 1`` if it happened.
    """
    is_core = is_one_of(semantic, (Structure.CORPUS, Structure.ARCUS))
    heights = {n: c[HEIGHT_AXIS] for n, c in centres_of(np.where(is_core, instances, 0)).items()}
    top_two = sorted(heights, key=lambda n: heights[n])[:2]
    if len(top_two) < 2 or not (semantic == Structure.DISC).any():  # noqa: PLR2004  # a pair
        return ()
    first, second = top_two
    discs = components(is_one_of(semantic, (Structure.DISC, Structure.ENDPLATE)), 26)
    if any(float(centre[HEIGHT_AXIS]) <= heights[second] for centre in discs.centres_zyx):
        return ()
    is_whole = has_own_processes(semantic, instances, first, second)
    if is_whole and is_cervical(semantic, instances, second, spacing_zyx_mm):
        give_dens_to_axis(semantic, instances, first, second)
    if is_whole or (edge is not None and (instances[edge] == first).any()):
        return ()
    sizes = voxel_counts(instances)
    enough = voxels_of_area(SPLIT_TOP_CONTACT_MM2, spacing_zyx_mm)
    is_large = sizes[first] >= SPLIT_TOP_RATIO * sizes[second]
    if is_large or _touching_faces(instances, first, second) <= enough:
        return ()
    instances[instances == first] = second
    return ("split_topmost_vertebra_joined: 1",)


def _touching_faces(instances: NDArray[np.unsignedinteger], one: int, other: int) -> int:
    """Voxel faces that two instances share."""
    box = widened(boxes_of(instances)[one], 1, instances.shape)
    part = instances[box]
    faces = 0
    for axis in range(3):
        lines = np.moveaxis(part, axis, 0)
        here, there = lines[:-1], lines[1:]
        faces += int(np.count_nonzero((here == one) & (there == other)))
        faces += int(np.count_nonzero((here == other) & (there == one)))
    return faces


def reattach_posterior_pieces(
    semantic: NDArray[np.unsignedinteger],
    instances: NDArray[np.unsignedinteger],
    edge: NDArray[np.bool_] | None = None,
) -> None:
    """Hand a loose piece of arch or spinous process to the only other vertebra around it.

    Parameters
    ----------
    semantic : (R, I, P) ndarray
        Read only.
    instances : (R, I, P) ndarray
        Changed; all decisions are made on the state before the first change.
    edge : (R, I, P) ndarray of bool, optional
        The image's upper edge: a piece that it cuts belongs to what lies above the image.
    """
    before = instances.copy()
    for label, tight in boxes_of(before).items():
        box = widened(tight, 1, before.shape)
        around, parts = before[box], semantic[box]
        found = components(around == label, 26)
        for piece in found.by_size()[1:MOST_PIECES]:
            near = widened(found.boxes[piece - 1], 1, around.shape)
            is_piece = found.labels_zyx[near] == piece
            is_cut = edge is not None and bool(edge[box][near][is_piece].any())
            if is_cut or not _is_loose_posterior(parts[near][is_piece]):
                continue
            neighbours = set(voxel_counts(np.where(is_piece, 0, around[near])))
            if len(neighbours) == 1 and label not in neighbours:
                instances[box][found.labels_zyx == piece] = neighbours.pop()


def _is_loose_posterior(parts: NDArray[np.unsignedinteger]) -> bool:
    return bool(is_one_of(parts, (Structure.ARCUS, Structure.SPINOUS_PROCESS)).all())

"""What a spine shows in the masks alone: the material of level names.

Millimetres and degrees in patient axes, on voxels of about a millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import SACRUM_INSTANCE, VERTEBRA_INSTANCES, Structure
from operators.anatomy.vertebrae import ATLAS_INSTANCE, vertebrae_among
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap, voxel_volume_mm3
from operators.spine.atlas import BODIES, is_atlas
from operators.spine.label_statistics import is_one_of
from operators.spine.levels.figures import Voxels, figures_of, is_tall
from operators.spine.levels.merged import holds_two

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Points = NDArray[np.float64]

STEP_MM: Final = 1.0
"""In-plane distance of the voxels that are looked at; finer ones are skipped over. Bodies are 10 to
35 mm long: a mean over hundreds of voxels gains nothing from more of them."""

GAP_RATIO: Final = 1.7
"""Neighbours whose centres are so many times further apart than their heights let expect have a
vertebra between them that is not in the mask. One missing gives 2.0; a disc of 12 mm 1.1."""

DISC_SHARE: Final = 0.27
"""Of a body's height: its disc (0.2 to 0.4 from C3 to L5, Busscher et al. 2010)."""

SACRUM_MM3: Final = 1500.0
"""Less of label 26 is no sacrum: S1 alone has 30 ml."""

SACRUM_MM: Final = 38.0
"""Furthest the sacrum begins below the centre of the last vertebra's body: half a body of 36 mm, a
disc of 14 mm, and an oblique end plate's share. It is more than 45 where a vertebra is missing."""


@dataclass(frozen=True, slots=True)
class VertebraMeasures:
    """One vertebra.

    Attributes
    ----------
    vertebra : int
        Id in the mask.
    centre_lps : (3,) ndarray
        Of its body, or of all of it where it has none; mm.
    figures : dict of str to float
        See `operators.spine.levels.figures.figures_of`; what is cut or absent is missing.
    has_body : bool
        Some of its body is in view.
    said : dict of str to float
        What a labelling network says of it (`operators.spine.levels.network.sayings_of`).
    """

    vertebra: int
    centre_lps: Points
    figures: dict[str, float] = field(default_factory=dict)
    has_body: bool = True
    said: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpineMeasures:
    """All that is in view.

    Attributes
    ----------
    vertebrae : tuple of VertebraMeasures
        Head to foot.
    places : tuple of int
        Place of each in the row of bones, from 0: one more per bone, two where one is missing or
        the one above is two (`merged.holds_two`), and so on.
    has_atlas : bool
        The topmost one is C1.
    has_sacrum : bool
        A sacrum follows the lowest one.
    room_above_mm : float
        From the top of the topmost one to the image's upper edge.
    """

    vertebrae: tuple[VertebraMeasures, ...]
    places: tuple[int, ...]
    has_atlas: bool
    has_sacrum: bool
    room_above_mm: float


def measure_spine(semantic: LabelMap, instances: LabelMap) -> SpineMeasures:
    """Measure every vertebra of two final maps.

    Parameters
    ----------
    semantic, instances : LabelMap
        On one grid, any orientation; ids in order from the top.

    Returns
    -------
    SpineMeasures
        Without vertebrae where there is none.
    """
    parts, owners = (coarser(labels) for labels in (semantic, instances))
    bones, tube = _voxels_of(parts, owners)
    numbers = vertebrae_among(np.unique(bones.owners).tolist())
    if not numbers:
        return SpineMeasures((), (), has_atlas=False, has_sacrum=False, room_above_mm=0.0)
    own, centres, order = _from_the_top(bones, numbers)
    has_atlas = _has_atlas(parts, owners, order)
    bodies = [n for n in range(has_atlas, len(order)) if _has_body(own[n])] or range(len(order))
    figures = [figures_of(own[n], tube, _down(centres, bodies, n)) for n in range(len(order))]
    measured = tuple(
        # What C1 has of a body is a piece of C2's dens.
        VertebraMeasures(
            number, centres[n], {} if has_atlas and n == 0 else figures[n], _has_body(own[n])
        )
        for n, number in enumerate(order)
    )
    return SpineMeasures(
        measured,
        _places(measured),
        has_atlas=has_atlas,
        has_sacrum=_is_followed(bones.of(Structure.SACRUM), centres),
        room_above_mm=float(own[0].index[:, 1].min() * parts.spacing_zyx_mm[1]),
    )


def coarser(labels: LabelMap) -> LabelMap:
    """Turn to [R, I, P] and skip over voxels that are closer than `STEP_MM`.

    Parameters
    ----------
    labels : LabelMap
        Any orientation.

    Returns
    -------
    LabelMap
        Slices as they are, rows and columns about `STEP_MM` apart.
    """
    turned = reorient(labels, ("P", "I", "R"))
    _, row, column = (max(round(STEP_MM / step), 1) for step in turned.spacing_zyx_mm)
    affine = turned.affine_lps.copy()
    affine[:3, 1] *= row
    affine[:3, 2] *= column
    return LabelMap(np.ascontiguousarray(turned.labels_zyx[:, ::row, ::column]), affine)


def _voxels_of(parts: LabelMap, owners: LabelMap) -> tuple[Voxels, Voxels]:
    """Vertebrae and sacrum; canal and cord."""
    of_bone = is_one_of(owners.labels_zyx, (*VERTEBRA_INSTANCES, SACRUM_INSTANCE))
    of_tube = is_one_of(parts.labels_zyx, (Structure.CANAL, Structure.CORD))
    bones, tube = (_listed(mask, parts, owners) for mask in (of_bone, of_tube))
    return bones, tube


def _listed(mask: NDArray[np.bool_], parts: LabelMap, owners: LabelMap) -> Voxels:
    index = np.argwhere(mask)
    affine = parts.affine_lps
    k, j, i = mask.shape
    return Voxels(
        parts.labels_zyx[mask],
        owners.labels_zyx[mask],
        index,
        index @ affine[:3, :3].T + affine[:3, 3],
        (k, j, i),
        voxel_volume_mm3(affine),
    )


def _from_the_top(
    bones: Voxels, numbers: tuple[int, ...]
) -> tuple[list[Voxels], list[Points], tuple[int, ...]]:
    """Voxels, centres and ids by the height of the bodies, which a scrap of arch cannot turn.

    A vertebra of which the upper edge leaves the arch alone, which hangs beside the next body,
    stands above that one, as its number says.
    """
    found = {number: bones.only(bones.owners == number) for number in numbers}
    centres = {number: _centre(vertebra) for number, vertebra in found.items()}
    heights = {number: float(centre[2]) for number, centre in centres.items()}
    next_body = -np.inf
    for number in reversed(numbers):
        if _has_body(found[number]):
            next_body = heights[number]
        else:
            heights[number] = max(heights[number], np.nextafter(next_body, np.inf))
    order = tuple(sorted(numbers, key=lambda number: -heights[number]))
    return [found[n] for n in order], [centres[n] for n in order], order


def _has_body(vertebra: Voxels) -> bool:
    return bool(vertebra.of(*BODIES).count)


def _centre(vertebra: Voxels) -> Points:
    body = vertebra.of(*BODIES)
    return np.asarray((body if body.count else vertebra).lps.mean(axis=0))


def _down(centres: list[Points], bodies: Sequence[int], n: int) -> Points:
    """Direction of the spine at a vertebra: from the body above to the one below.

    An arch alone, as C1 is, lies behind the row of bodies.
    """
    above = [m for m in bodies if m < n][-1:]
    below = [m for m in bodies if m > n][:1]
    step = centres[(*below, n)[0]] - centres[(*above, n)[0]]
    length = float(np.linalg.norm(step))
    return step / length if length else np.array([0.0, 0.0, -1.0])


def _places(measured: tuple[VertebraMeasures, ...]) -> tuple[int, ...]:
    ratios = np.array([_step_ratio(above, below) for above, below in pairwise(measured)])
    # Discs of one person are all thin or all thick.
    near = ratios[(ratios > 0.0) & (ratios <= GAP_RATIO)]
    usual = float(np.median(near)) if near.size else 1.0
    figures = [vertebra.figures for vertebra in measured]
    places = [0]
    for n, ratio in enumerate(ratios):
        step = max(round(ratio / usual), 2) if ratio > GAP_RATIO else 1
        places.append(places[-1] + step + holds_two(figures, n))
    return tuple(places)


def _step_ratio(above: VertebraMeasures, below: VertebraMeasures) -> float:
    """Distance of two neighbours' centres over what their heights let expect."""
    # Where a border cuts a body, neither its height nor its centre is known.
    upper, lower = (float(np.exp(v.figures.get("height", np.inf))) for v in (above, below))
    expected = (1.0 + DISC_SHARE) * max(upper, lower)
    if is_tall(above.figures):  # C2: its dens stands above the centre, and no other body is so high
        expected = upper / 2 + (0.5 + DISC_SHARE) * lower
    return float(np.linalg.norm(below.centre_lps - above.centre_lps)) / expected


def _has_atlas(parts: LabelMap, owners: LabelMap, order: tuple[int, ...]) -> bool:
    if order[0] == ATLAS_INSTANCE:
        return True
    arrays = parts.labels_zyx, owners.labels_zyx
    return len(order) > 1 and is_atlas(*arrays, (order[0], order[1]), parts.spacing_zyx_mm)


def _is_followed(sacrum: Voxels, centres: list[Points]) -> bool:
    """Whether a sacrum begins below the last vertebra, where the next one would be."""
    if sacrum.count * sacrum.volume_mm3 < SACRUM_MM3:
        return False
    offsets = sacrum.lps - centres[-1]
    return bool(
        np.linalg.norm(offsets, axis=1).min() <= SACRUM_MM
        and offsets.mean(axis=0) @ _down(centres, range(len(centres)), len(centres) - 1) > 0
    )

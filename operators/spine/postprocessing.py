"""From raw masks on the image's own grid to the final semantic and instance maps.

Follows SPINEPS 2.1.3 in steps and order; where it differs on purpose, the reason stands in
``app/decisions/0002-differences-from-spineps.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import L6_INSTANCE, SACRUM_INSTANCE, VERTEBRA_INSTANCES, Structure
from operators.anatomy.vertebrae import ATLAS_INSTANCE, AXIS_INSTANCE
from operators.errors import GeometryError, NoSpineFoundError, SegmentationError
from operators.imaging.cropping import bounding_box
from operators.imaging.orientation import axis_codes, reorient
from operators.spine.atlas import is_atlas
from operators.spine.body_above_sacrum import return_body_parts
from operators.spine.cut_above import UpperEdge
from operators.spine.discs import body_heights, number_discs, number_endplates
from operators.spine.doubled_processes import give_back_processes
from operators.spine.endplates import split_endplates
from operators.spine.label_statistics import centres_of, from_the_top, is_one_of, mapped
from operators.spine.lower_end import join_sacral_part, join_split_lowest
from operators.spine.posterior_order import order_posterior_parts
from operators.spine.reconciliation import (
    adopt_missed_parts,
    reattach_posterior_pieces,
    rejoin_split_top,
    settle_articulars,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap
    from operators.spine.thresholds import Spacing


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocessSettings:
    """How the result is numbered.

    Attributes
    ----------
    has_c1 : bool
        Whether phase 1 draws C1. A topmost vertebra that is recognised as C1
        (`operators.spine.atlas.is_atlas`) is then number 1; every other one is number 2, as in
        SPINEPS. It counts from the top and names no level.
    sacrum_labels : tuple of int
        Semantic labels that become instance 26.
    metal_labels : tuple of int
        Semantic labels that keep their number in the instance map.
    """

    has_c1: bool = False
    sacrum_labels: tuple[int, ...] = (Structure.SACRUM,)
    metal_labels: tuple[int, ...] = (80,)


@dataclass(frozen=True, slots=True)
class PostprocessResult:
    """The final maps.

    Attributes
    ----------
    semantic : LabelMap
        Labels of `Structure`; endplates split into 52 and 53.
    instances : LabelMap
        Vertebra X, its disc 100 + X, its endplates 200 + X, sacrum 26; uint16.
    warnings : tuple of str
        ``name: detail`` of everything that a reader of the result should know.
    """

    semantic: LabelMap
    instances: LabelMap
    warnings: tuple[str, ...]


def postprocess(
    semantic: LabelMap, instances: LabelMap, settings: PostprocessSettings
) -> PostprocessResult:
    """Reconcile and number both maps.

    Parameters
    ----------
    semantic : LabelMap
        Cleaned semantic labels on the grid of the source image, any orientation.
    instances : LabelMap
        Vertebrae by any numbers, on the same grid.
    settings : PostprocessSettings
        How to number.

    Returns
    -------
    PostprocessResult
        On the same grid and in the same orientation. Vertebrae are numbered from the top.

    Raises
    ------
    GeometryError
        If the grids differ (``different_grids``).
    NoSpineFoundError
        If no vertebra is left (``no_vertebra_instance``).
    SegmentationError
        If there are more vertebrae than numbers (``too_many_vertebrae``).
    """
    if semantic.labels_zyx.shape != instances.labels_zyx.shape or not np.allclose(
        semantic.affine_lps, instances.affine_lps, atol=1e-3
    ):
        raise GeometryError("the two maps lie on different grids", reasons=("different_grids",))
    turned = reorient(semantic, ("P", "I", "R"))
    raw = reorient(instances, ("P", "I", "R"))
    box = bounding_box(turned.labels_zyx, 1)
    if box is None:
        raise NoSpineFoundError(reasons=("empty_semantic_map",))
    parts = np.array(turned.labels_zyx[box], order="C")
    parts[parts == Structure.CORPUS_DENSE] = Structure.CORPUS
    vertebrae = np.where(parts > 0, raw.labels_zyx[box], 0).astype(np.uint16)

    above = UpperEdge.of(turned, raw).within(box)
    warnings = _process_in_place(parts, vertebrae, above, (turned.spacing_zyx_mm, settings))

    final_parts = np.zeros_like(turned.labels_zyx, order="C")
    final_parts[box] = parts
    final_instances = np.zeros(raw.labels_zyx.shape, np.uint16)
    final_instances[box] = vertebrae
    codes = axis_codes(semantic.affine_lps)
    return PostprocessResult(
        semantic.with_labels(reorient(turned.with_labels(final_parts), codes).labels_zyx),
        instances.with_labels(reorient(raw.with_labels(final_instances), codes).labels_zyx),
        warnings,
    )


def _process_in_place(
    parts: NDArray[np.unsignedinteger],
    vertebrae: NDArray[np.uint16],
    above: UpperEdge,
    given: tuple[Spacing, PostprocessSettings],
) -> tuple[str, ...]:
    """All steps, in SPINEPS's order, on PIR arrays."""
    spacing, settings = given
    # Numbers from the top already here, so that ties do not depend on the order of merging.
    _number(vertebrae, from_the_top(centres_of(vertebrae)), 1)
    claims = vertebrae.copy()
    settle_articulars(parts, vertebrae)
    adopted = adopt_missed_parts(parts, vertebrae, claims, above.of_none)
    rejoined = rejoin_split_top(parts, vertebrae, spacing, above.edge)
    reattach_posterior_pieces(parts, vertebrae, above.edge)
    ordered = order_posterior_parts(parts, vertebrae, spacing)
    ordered += give_back_processes(parts, vertebrae, spacing)
    returned = return_body_parts(parts, vertebrae, spacing, settings.sacrum_labels)
    joined = join_sacral_part(parts, vertebrae, spacing, settings.sacrum_labels)
    lower_end = (*returned, *joined, *join_split_lowest(parts, vertebrae, spacing))
    if not vertebrae.any():
        raise NoSpineFoundError(reasons=("no_vertebra_instance",))
    first = _first_number(parts, vertebrae, above.edge, given)
    _number(vertebrae, _bodies_from_the_top(parts, vertebrae), first)
    _check_numbers(vertebrae)
    numbers = [int(n) for n in np.flatnonzero(np.bincount(vertebrae.ravel())) if n]

    vertebrae[is_one_of(parts, settings.sacrum_labels)] = SACRUM_INSTANCE
    for label in settings.metal_labels:
        vertebrae[parts == label] = label
    if ATLAS_INSTANCE in numbers or not settings.has_c1:
        vertebrae[parts == Structure.DENS] = AXIS_INSTANCE

    heights = body_heights(parts, vertebrae)
    known = {*heights, ATLAS_INSTANCE}  # C1 has no body anywhere
    bodiless = [f"vertebra_without_body: {n}" for n in numbers if n not in known]
    discs = number_discs(parts, vertebrae, heights)
    plates = split_endplates(parts, vertebrae, spacing)
    number_endplates(parts, vertebrae, heights)
    return (*adopted, *rejoined, *ordered, *lower_end, *above.warnings, *bodiless, *discs, *plates)


def _first_number(
    parts: NDArray[np.unsignedinteger],
    vertebrae: NDArray[np.uint16],
    edge: NDArray[np.bool_],
    given: tuple[Spacing, PostprocessSettings],
) -> int:
    """1 where the topmost vertebra is C1, seen whole and by a model that knows it; else 2."""
    spacing, settings = given
    top, *below = from_the_top(centres_of(vertebrae))
    if not settings.has_c1 or not below or (vertebrae[edge] == top).any():
        return AXIS_INSTANCE
    is_c1 = is_atlas(parts, vertebrae, (top, below[0]), spacing)
    return ATLAS_INSTANCE if is_c1 else AXIS_INSTANCE


def _bodies_from_the_top(
    parts: NDArray[np.unsignedinteger], vertebrae: NDArray[np.uint16]
) -> list[int]:
    """Vertebrae from the top, those with a body by it: a sliver at the edge may own a low arch."""
    heights = body_heights(parts, vertebrae)
    with_body = iter(heights)
    order = from_the_top(centres_of(vertebrae))
    return [next(with_body) if number in heights else number for number in order]


def _number(vertebrae: NDArray[np.uint16], order: Sequence[int], first: int) -> None:
    vertebrae[...] = mapped(vertebrae, {label: first + n for n, label in enumerate(order)})


def _check_numbers(vertebrae: NDArray[np.uint16]) -> None:
    highest = int(vertebrae.max())
    if highest not in VERTEBRA_INSTANCES or highest > L6_INSTANCE:
        message = f"the lowest vertebra would get the number {highest}"
        raise SegmentationError(message, reasons=("too_many_vertebrae",))

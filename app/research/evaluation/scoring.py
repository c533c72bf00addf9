"""Score one case: every metric of every structure, instance and region.

What an absent structure means stands in ``overlap`` and ``surface``; what an instance is and how
it is matched, in ``structures`` and ``detection``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.research.evaluation.instance_scoring import score_kind, score_parts
from app.research.evaluation.laterality import LEFT, RIGHT
from app.research.evaluation.measures import (
    CaseScore,
    InstanceScore,
    Item,
    MaskPair,
    Masks,
    Measure,
    measures_of,
)
from app.research.evaluation.metrics import values_of, volume_ml
from app.research.evaluation.structures import KINDS, LATERAL, STRUCTURES, SUBSTRUCTURES
from operators.errors import GeometryError
from operators.imaging.cropping import bounding_box, crop

if TYPE_CHECKING:
    from operators.imaging.volume import LabelMap

_SIDES = frozenset(name for name in SUBSTRUCTURES if name.endswith((" left", " right")))


def score_case(reference: Masks, prediction: Masks) -> CaseScore:
    """Compare a prediction with its reference.

    Parameters
    ----------
    reference, prediction : Masks
        All maps on one grid (``grids`` sees to it).

    Returns
    -------
    CaseScore
        Semantic scores where both have a semantic map, instance scores where both have an
        instance map, bodies and parts of vertebrae where both have both; only what both label
        schemes can say.

    Raises
    ------
    GeometryError
        If the maps differ in shape (``different_grids``).
    """
    maps = (reference.semantic, reference.instances, prediction.semantic, prediction.instances)
    if len({m.labels_zyx.shape for m in maps if m is not None}) > 1:
        raise GeometryError("the masks lie on different grids", reasons=("different_grids",))
    reference, prediction = _cropped(reference, prediction)
    measures: list[Measure] = []
    instances: list[InstanceScore] = []
    told = _told_by_both(reference, prediction)
    if reference.semantic is not None and prediction.semantic is not None:
        measures += _score_structures(reference.semantic, prediction.semantic, told)
    if reference.instances is not None and prediction.instances is not None:
        for kind in KINDS:
            if kind.name in told:
                found, of_kind = score_kind(kind, reference, prediction)
                instances += found
                measures += of_kind
        parts = score_parts(reference, prediction, instances)
        measures += [part for part in parts if part.item.name in told]
    return CaseScore(tuple(measures), tuple(instances), _annotated(measures, instances))


def _cropped(*authors: Masks) -> tuple[Masks, ...]:
    """Cut all maps to the smallest box with any label: the empty rest only costs time."""
    maps = [m for masks in authors for m in (masks.semantic, masks.instances) if m is not None]
    box = bounding_box(np.logical_or.reduce([m.labels_zyx > 0 for m in maps])) if maps else None
    if box is None:
        return authors
    return tuple(
        replace(
            masks,
            semantic=None if masks.semantic is None else crop(masks.semantic, box),
            instances=None if masks.instances is None else crop(masks.instances, box),
        )
        for masks in authors
    )


def _told_by_both(*authors: Masks) -> frozenset[str]:
    """Names of what every author's label scheme can say."""
    told = frozenset((*STRUCTURES, *SUBSTRUCTURES))
    for masks in authors:
        told = told if masks.tells is None else told & masks.tells
    return told


def _score_structures(
    reference: LabelMap, prediction: LabelMap, told: frozenset[str]
) -> list[Measure]:
    affine = reference.affine_lps
    measures = []
    for name, labels in {**STRUCTURES, **SUBSTRUCTURES}.items():
        if name not in told:
            continue
        truth = np.isin(reference.labels_zyx, labels)
        guess = np.isin(prediction.labels_zyx, labels)
        values = values_of(MaskPair(truth, guess, affine), "masks", "structure")
        measures += measures_of(Item("structure", name), values)
    if not told >= _SIDES:
        return measures
    lateral = np.isin(reference.labels_zyx, (*LEFT, *RIGHT))
    sides = values_of((reference.labels_zyx, prediction.labels_zyx), "sides", "lateral")
    sides["reference_ml"] = volume_ml(lateral, affine)
    return [*measures, *measures_of(Item("structure", LATERAL), sides)]


def _annotated(measures: list[Measure], instances: list[InstanceScore]) -> frozenset[str]:
    structures = {
        f"structure:{m.item.name}" for m in measures if m.metric == "reference_ml" and m.value > 0
    }
    kinds = {f"detection:{s.kind}" for s in instances if s.reference is not None}
    return frozenset(structures | kinds)

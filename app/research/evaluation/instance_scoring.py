"""Scores of instances: matched or not, per region, per level, and their parts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from app.research.evaluation.detection import Match, match_instances, recognition
from app.research.evaluation.measures import InstanceScore, Item, MaskPair, Measure, measures_of
from app.research.evaluation.metrics import drawn_in, values_of
from app.research.evaluation.naming import known_levels, score_names
from app.research.evaluation.regions import Region, centres_mm, nearest, region_of
from app.research.evaluation.structures import SUBSTRUCTURES, instances_of
from operators.imaging.cropping import bounding_box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from app.research.evaluation.measures import Masks
    from app.research.evaluation.structures import Kind

    Labels = NDArray[np.integer]
    Affine = NDArray[np.float64]


def score_kind(
    kind: Kind, reference: Masks, prediction: Masks
) -> tuple[list[InstanceScore], list[Measure]]:
    """Match the instances of one kind and measure them.

    Parameters
    ----------
    kind : Kind
        Vertebrae, bodies, discs or endplates.
    reference, prediction : Masks
        On one grid.

    Returns
    -------
    tuple of list of InstanceScore, list of Measure
        Both empty where a map that the kind needs is absent.
    """
    truth, guess = _of_kind(kind, reference), _of_kind(kind, prediction)
    if truth is None or guess is None or reference.instances is None:
        return [], []
    scores = _scores(kind, (truth, guess), reference.instances.affine_lps)
    measures = []
    for region in Region:
        here = [s for s in scores if region in {Region.WHOLE, s.region}]
        measures += measures_of(Item("detection", kind.name, region), _recognised(here))
    for score in scores:
        if score.reference is not None:
            drawn = {name: score.values.get(name, math.nan) for name in drawn_in("level")}
            values = values_of(score, "instance", "level") | drawn
            measures += measures_of(Item("level", f"{kind.name} {score.reference}"), values)
    if kind.name == "vertebra":
        measures += score_names(scores, prediction.names, known_levels(reference))
    return scores, measures


def score_parts(
    reference: Masks, prediction: Masks, instances: Sequence[InstanceScore]
) -> list[Measure]:
    """Measure each substructure inside the matched vertebrae.

    Parameters
    ----------
    reference, prediction : Masks
        On one grid.
    instances : sequence of InstanceScore
        Of the same masks.

    Returns
    -------
    list of Measure
        Per substructure and region: means over the matched vertebrae in which the substructure is
        present on either side. Empty without semantic maps.
    """
    found: dict[Item, list[dict[str, float]]] = {}
    for score in instances:
        if score.kind != "vertebra" or score.outcome != "matched":
            continue
        for name, values in _part_values(reference, prediction, score).items():
            for region in (Region.WHOLE, score.region):
                if region is not None:
                    found.setdefault(Item("part", name, region), []).append(values)
    return [one for item, of_item in found.items() for one in measures_of(item, _means(of_item))]


def _of_kind(kind: Kind, masks: Masks) -> Labels | None:
    if masks.instances is None:
        return None
    semantic = None if masks.semantic is None else masks.semantic.labels_zyx
    return instances_of(kind, masks.instances.labels_zyx, semantic)


def _scores(kind: Kind, maps: tuple[Labels, Labels], affine: Affine) -> list[InstanceScore]:
    reference, prediction = maps
    matching = match_instances(reference, prediction)
    scores = [_matched(kind, match, maps, affine) for match in matching.matches]
    scores += [
        InstanceScore(
            kind=kind.name,
            outcome="missed",
            reference=label,
            prediction=None,
            region=region_of(label),
        )
        for label in matching.missed
    ]
    known = [label for label in np.unique(reference).tolist() if label]
    centres = centres_mm(reference, known, affine) if matching.extra else {}
    for label, centre in centres_mm(prediction, matching.extra, affine).items():
        beside = nearest(centre, centres)
        scores.append(
            InstanceScore(
                kind=kind.name,
                outcome="extra",
                reference=None,
                prediction=label,
                region=None if beside is None else region_of(beside),
            )
        )
    return scores


def _matched(
    kind: Kind, match: Match, maps: tuple[Labels, Labels], affine: Affine
) -> InstanceScore:
    truth, guess = maps[0] == match.reference, maps[1] == match.prediction
    return InstanceScore(
        kind=kind.name,
        outcome="matched",
        reference=match.reference,
        prediction=match.prediction,
        region=region_of(match.reference),
        values=values_of(MaskPair(truth, guess, affine), "masks", "match"),
    )


def _recognised(scores: Sequence[InstanceScore]) -> dict[str, float]:
    """Count and grade; what compares masks is a mean over the matches, as in the paper."""
    matches = [s for s in scores if s.outcome == "matched"]
    counts = recognition(
        [s.values["iou"] for s in matches],
        extra=sum(s.outcome == "extra" for s in scores),
        missed=sum(s.outcome == "missed" for s in scores),
    )
    drawn = {n: _mean([s.values[n] for s in matches]) for n in drawn_in("detection")}
    return values_of(counts, "instances", "detection") | drawn


def _part_values(
    reference: Masks, prediction: Masks, score: InstanceScore
) -> dict[str, dict[str, float]]:
    """Take what compares masks of the substructures of one matched vertebra."""
    maps = (reference.semantic, reference.instances, prediction.semantic, prediction.instances)
    arrays = [m.labels_zyx for m in maps if m is not None]
    if len(arrays) < len(maps) or reference.instances is None:
        return {}
    truth_parts, truth, guess_parts, guess = arrays
    box = bounding_box((truth == score.reference) | (guess == score.prediction))
    if box is None:
        return {}
    inside = truth[box] == score.reference
    taken = guess[box] == score.prediction
    values = {}
    for name, labels in SUBSTRUCTURES.items():
        a = inside & np.isin(truth_parts[box], labels)
        b = taken & np.isin(guess_parts[box], labels)
        if a.any() or b.any():
            pair = MaskPair(a, b, reference.instances.affine_lps)
            values[name] = values_of(pair, "masks", "part")
    return values


def _means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: _mean([row[name] for row in rows]) for name in rows[0]}


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")

"""Scores of instances: matched or not, per region, per level, and their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.research.evaluation.detection import Match, match_instances, recognition
from app.research.evaluation.measures import InstanceScore, Item, Measure, measures_of
from app.research.evaluation.naming import score_names
from app.research.evaluation.overlap import dice
from app.research.evaluation.regions import Region, centres_mm, nearest, region_of
from app.research.evaluation.structures import SUBSTRUCTURES, instances_of
from app.research.evaluation.surface import average_symmetric_surface_distance
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
            values = {
                "found": float(score.outcome == "matched"),
                "dsc": score.dsc,
                "assd_mm": score.assd_mm,
            }
            measures += measures_of(Item("level", f"{kind.name} {score.reference}"), values)
    if kind.name == "vertebra":
        measures += score_names(scores, prediction.names)
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
        DSC and ASSD per substructure and region: means over the matched vertebrae in which the
        substructure is present on either side. Empty without semantic maps.
    """
    found: dict[Item, list[tuple[float, float]]] = {}
    for score in instances:
        if score.kind != "vertebra" or score.outcome != "matched":
            continue
        for name, pair in _part_values(reference, prediction, score).items():
            for region in (Region.WHOLE, score.region):
                if region is not None:
                    found.setdefault(Item("part", name, region), []).append(pair)
    measures = []
    for item, pairs in found.items():
        values = {"dsc": _mean([d for d, _ in pairs]), "assd_mm": _mean([a for _, a in pairs])}
        measures += measures_of(item, values)
    return measures


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
        iou=match.iou,
        dsc=dice(truth, guess),
        assd_mm=average_symmetric_surface_distance(truth, guess, affine),
    )


def _recognised(scores: Sequence[InstanceScore]) -> dict[str, float]:
    """Count and grade; DSC and ASSD are means over the matches, as in the paper."""
    matches = [s for s in scores if s.outcome == "matched"]
    counts = recognition(
        [s.iou for s in matches],
        extra=sum(s.outcome == "extra" for s in scores),
        missed=sum(s.outcome == "missed" for s in scores),
    )
    return {
        "tp": counts.tp,
        "fp": counts.fp,
        "fn": counts.fn,
        "rq": counts.rq,
        "sq": counts.sq,
        "pq": counts.pq,
        "dsc": _mean([s.dsc for s in matches]),
        "assd_mm": _mean([s.assd_mm for s in matches]),
    }


def _part_values(
    reference: Masks, prediction: Masks, score: InstanceScore
) -> dict[str, tuple[float, float]]:
    """DSC and ASSD of the substructures of one matched vertebra."""
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
        distance = average_symmetric_surface_distance(a, b, reference.instances.affine_lps)
        values[name] = (dice(a, b), distance)
    return {name: pair for name, pair in values.items() if np.isfinite(pair[0])}


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")

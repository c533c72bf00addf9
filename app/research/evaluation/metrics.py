"""Every metric of an evaluation: name, unit, direction, definition, function.

Scoring, statistics, tables, plots and files go through this table; a new metric is a row here and
its function. What it is taken of, its `Basis`, says what the function is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from app.research.evaluation.laterality import side_agreement
from app.research.evaluation.overlap import dice, intersection_over_union
from app.research.evaluation.surface import average_symmetric_surface_distance
from operators.imaging.volume import voxel_volume_mm3

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_MM3_PER_ML = 1000.0


Basis = Literal["masks", "instances", "instance", "sides", "names"]
"""What a metric is taken of: a `measures.MaskPair`, the `detection.Recognition` of the instances
of a kind, the `measures.InstanceScore` of one of the reference, two semantic maps, or the
`measures.NameCounts` of a case."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes
    ----------
    name : str
        In files and records.
    title : str
        Short, for tables.
    definition : str
        One sentence.
    basis : Basis
        What `function` is given.
    function : callable
        Gives the value; not a number where the metric is undefined.
    scopes : frozenset of str
        Of the items (`measures.Item`) that it is taken of; ``match``: each matched instance.
    unit : str
        Empty: a number without one.
    words : str
        Long title, for axes, where another.
    direction : str
        Which value is the better one.
    is_shown : bool
        Whether tables and pictures have it; the files have all.
    is_tested : bool
        Whether two methods are compared on it.
    """

    name: str
    title: str
    definition: str
    basis: Basis
    function: Callable[[Any], float]
    scopes: frozenset[str]
    unit: str = ""
    words: str = ""
    direction: Literal["higher", "lower", "neither"] = "higher"
    is_shown: bool = True
    is_tested: bool = False

    @property
    def heading(self) -> str:
        """Title with its unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def axis(self) -> str:
        """Words with the unit."""
        words = self.words or self.title
        return f"{words}, {self.unit}" if self.unit else words


def volume_ml(mask: NDArray[np.bool_], affine_lps: NDArray[np.float64]) -> float:
    """Volume of a mask in millilitres."""
    return np.count_nonzero(mask) * (voxel_volume_mm3(affine_lps) / _MM3_PER_ML)


_STRUCTURE = frozenset({"structure"})
_DETECTION = frozenset({"detection"})
_NAMING = frozenset({"naming"})
_DRAWN = frozenset({"structure", "detection", "part", "level", "match"})

METRICS: Final = (
    Metric("tp", "matched", "Instances of both, one to one by optimal assignment at IoU >= 0.5, "
        "never by number.", "instances", attrgetter("tp"), _DETECTION,
        direction="neither", is_shown=False),
    Metric("fp", "extra", "Instances of the prediction without a partner.",
        "instances", attrgetter("fp"), _DETECTION, direction="neither", is_shown=False),
    Metric("fn", "missed", "Instances of the reference without a partner.",
        "instances", attrgetter("fn"), _DETECTION, direction="neither", is_shown=False),
    Metric("iou", "IoU", "|A and B| / |A or B|.", "masks",
        lambda pair: intersection_over_union(pair.reference, pair.prediction),
        _STRUCTURE | {"match"}, is_shown=False),
    Metric("rq", "RQ", "TP / (TP + FP/2 + FN/2), after Kirillov et al. 2019.",
        "instances", attrgetter("rq"), _DETECTION, is_tested=True),
    Metric("sq", "SQ", "Mean IoU of the matches.",
        "instances", attrgetter("sq"), _DETECTION, is_tested=True),
    Metric("pq", "PQ", "RQ x SQ.", "instances", attrgetter("pq"), _DETECTION, is_tested=True),
    Metric("found", "found", "1 where the reference's instance has a match, else 0.",
        "instance", lambda score: score.outcome == "matched", frozenset({"level"})),
    Metric("dsc", "DSC", "2 |A and B| / (|A| + |B|).",
        "masks", lambda pair: dice(pair.reference, pair.prediction), _DRAWN,
        words="Dice similarity coefficient", is_tested=True),
    Metric("assd_mm", "ASSD", "Mean of the two directed mean distances between border voxels (six "
        "neighbours), by the images' own affine; neither surfels nor pooled points.",
        "masks", lambda pair: average_symmetric_surface_distance(
            pair.reference, pair.prediction, pair.affine_lps), _DRAWN,
        words="Average symmetric surface distance", unit="mm", direction="lower", is_tested=True),
    Metric("reference_ml", "reference", "Voxels of the reference times their volume.",
        "masks", lambda pair: volume_ml(pair.reference, pair.affine_lps), _STRUCTURE,
        unit="ml", direction="neither", is_shown=False),
    Metric("prediction_ml", "prediction", "Voxels of the prediction times their volume.",
        "masks", lambda pair: volume_ml(pair.prediction, pair.affine_lps), _STRUCTURE,
        unit="ml", direction="neither", is_shown=False),
    Metric("side", "right side", "Share of the voxels on the reference's side of the patient, "
        "among those that both maps call a costal or articular process.",
        "sides", lambda maps: side_agreement(*maps), frozenset({"lateral"})),
    Metric("identified", "identified", "Share of the reference's vertebrae that were found and "
        'called by the right level ("probably" included).',
        "names", lambda counts: counts.right / counts.vertebrae, _NAMING),
    Metric("stated", "stated", "Share that was found and called by a level without reserve.",
        "names", lambda counts: counts.stated / counts.vertebrae, _NAMING),
    Metric("stated_wrong", "stated wrongly",
        "Share that was found and called by a wrong level without reserve.",
        "names", lambda counts: counts.wrong / counts.vertebrae, _NAMING, direction="lower"),
)  # fmt: skip
"""In the order of columns."""

BY_NAME: Final = {metric.name: metric for metric in METRICS}


def values_of(subject: object, basis: Basis, scope: str) -> dict[str, float]:
    """Take every metric of a thing.

    Parameters
    ----------
    subject : object
        What `basis` says.
    basis : Basis
        What it is.
    scope : str
        Of the item that the values are kept under.

    Returns
    -------
    dict of str to float
        By name, in the order of the table.
    """
    chosen = (m for m in METRICS if m.basis == basis and scope in m.scopes)
    return {metric.name: float(metric.function(subject)) for metric in chosen}


def drawn_in(scope: str) -> tuple[str, ...]:
    """Names of what is compared by masks in a scope."""
    return tuple(m.name for m in METRICS if m.basis == "masks" and scope in m.scopes)


def shown_in(scope: str) -> tuple[Metric, ...]:
    """Metrics in the tables and pictures of a scope, in the order of their columns."""
    return tuple(metric for metric in METRICS if metric.is_shown and scope in metric.scopes)

"""The records that scoring fills and tables, statistics and files read.

A metric is a `Measure`: one long list per case, of which everything else is a selection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.research.evaluation.regions import Region

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """The maps of one case by one author, on one grid.

    Attributes
    ----------
    semantic, instances : LabelMap or None
        Either may be absent.
    names : mapping of int to str
        Level name of vertebrae, by their label (`app.research.evaluation.naming`).
    numbers_are_levels : bool
        Labels of vertebrae without names are their levels, as VerSe and SPINEPS number them; those
        of a SEG are not.
    tells : frozenset of str or None
        Structures, substructures and kinds of instances that the author's label scheme can say
        (`app.research.evaluation.label_schemes`); None = all. Nothing else is scored.
    """

    semantic: LabelMap | None = None
    instances: LabelMap | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    tells: frozenset[str] | None = None
    numbers_are_levels: bool = True


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """What is measured.

    Attributes
    ----------
    scope : str
        ``structure`` (whole image), ``detection`` (all instances of a kind), ``part`` (a
        substructure inside the matched vertebrae), ``level`` (one reference instance) or
        ``naming`` (the names of levels).
    name : str
        Structure, kind of instance or, for ``level``, kind and reference label: ``disc 120``.
    region : Region
        ``whole``, or the region that it is restricted to.
    """

    scope: str
    name: str
    region: Region = Region.WHOLE


@dataclass(frozen=True, slots=True)
class Measure:
    """One value of one metric in one case.

    Attributes
    ----------
    item : Item
        What is measured.
    metric : str
        Name of one of `app.research.evaluation.metrics.METRICS`.
    value : float
        Not a number where the metric is undefined.
    """

    item: Item
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class MaskPair:
    """Two masks of one thing.

    Attributes
    ----------
    reference, prediction : (Z, Y, X) ndarray of bool
        On one grid.
    affine_lps : (4, 4) ndarray
        Of that grid, index (k, j, i, 1) to LPS mm.
    """

    reference: NDArray[np.bool_]
    prediction: NDArray[np.bool_]
    affine_lps: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NameCounts:
    """Vertebrae of a reference: all, called rightly, called without reserve, and wrongly so."""

    vertebrae: int
    right: int
    stated: int
    wrong: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceScore:
    """One instance: matched, missed or extra.

    Attributes
    ----------
    kind : str
        ``vertebra``, ``corpus``, ``disc`` or ``endplate``.
    outcome : str
        ``matched``, ``missed`` or ``extra``.
    reference, prediction : int or None
        Labels in the two maps.
    region : Region or None
        See ``regions``; None outside cervical, thoracic and lumbar.
    values : mapping of str to float
        Metrics of a match, by name.
    """

    kind: str
    outcome: str
    reference: int | None
    prediction: int | None
    region: Region | None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CaseScore:
    """All scores of one case.

    Attributes
    ----------
    measures : tuple of Measure
        Everything, long form.
    instances : tuple of InstanceScore
        Every instance of either map.
    annotated : frozenset of str
        Structures, substructures and kinds of instances that the reference contains, as
        ``scope:name``.
    """

    measures: tuple[Measure, ...]
    instances: tuple[InstanceScore, ...]
    annotated: frozenset[str]


def measures_of(item: Item, values: dict[str, float]) -> list[Measure]:
    """Several metrics of one item."""
    return [Measure(item, metric, float(value)) for metric, value in values.items()]

"""The paper's tables: rows of structures and regions, one column group per method.

Like Table 2: instances and whole structures; Table 3: every structure by itself; Table 5: regions;
and three more: substructures inside matched vertebrae, levels, counts. The unit is the case.

References
----------
Möller et al., Eur Radiol 2024, doi 10.1007/s00330-024-11155-y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.research.evaluation.measures import Item
from app.research.evaluation.metrics import BY_NAME, shown_in
from app.research.evaluation.naming import NAMING
from app.research.evaluation.regions import Region
from app.research.evaluation.structures import KINDS, LATERAL, STRUCTURES, SUBSTRUCTURES
from operators.anatomy.vertebrae import LEVEL_NAMES, vertebra_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.research.evaluation.cohort import MethodScores, PairedTest
    from app.research.evaluation.statistics import Summary

    Summaries = Mapping[tuple[Item, str], Summary]

_REGIONS = (Region.CERVICAL, Region.THORACIC, Region.LUMBAR)
_SIGNIFICANT = 0.05


_INSTANCE_NOTE = (
    "Mean over cases ± SD [95 % bootstrap interval of the mean]. Instances are matched one to one "
    "at IoU >= 0.5. RQ = TP / (TP + FP/2 + FN/2), SQ = mean IoU of the matches, PQ = RQ x SQ; DSC "
    "and ASSD are means over the matches. n: cases in which the metric is defined, where fewer."
)
_STRUCTURE_NOTE = (
    "All voxels of a structure, not by instance. Absent in both: not scored; absent in one: DSC 0, "
    "ASSD undefined."
)
_PART_NOTE = (
    "Inside each matched vertebra; mean over the vertebrae of a case that have the part on either "
    "side, then over cases."
)
_REGION_NOTE = (
    "Region by the reference's level (C1-C7, T1-T13, L1-L6; a disc belongs to the vertebra above). "
    "An extra instance counts in the region of the nearest reference instance."
)
_NAMING_NOTE = " ".join(f"{m.title}: {m.definition}" for m in shown_in("naming"))
_LEVELS_TITLE = "Levels of the reference"
_LEVELS_NOTE = "found: share of the cases that have this level."


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a table shows: items, and the metrics of a scope (`metrics.shown_in`)."""

    title: str
    note: str
    items: Sequence[Item]
    scope: str


_KIND_NAMES = tuple(kind.name for kind in KINDS)
_LAYOUTS = (
    _Layout(
        "Instances (cf. Table 2 of the paper)",
        _INSTANCE_NOTE,
        [Item("detection", name) for name in _KIND_NAMES],
        "detection",
    ),
    _Layout(
        "Structures in the whole image (cf. Tables 2 and 3 of the paper)",
        _STRUCTURE_NOTE,
        [Item("structure", name) for name in STRUCTURES],
        "structure",
    ),
    _Layout(
        "Substructures of the vertebra in the whole image (cf. Table 3 of the paper)",
        _STRUCTURE_NOTE,
        [Item("structure", name) for name in SUBSTRUCTURES],
        "structure",
    ),
    _Layout("Left and right", BY_NAME["side"].definition, [Item("structure", LATERAL)], "lateral"),
    _Layout("Names of levels", _NAMING_NOTE, [NAMING], "naming"),
    _Layout(
        "Substructures inside matched vertebrae",
        _PART_NOTE,
        [Item("part", name) for name in SUBSTRUCTURES],
        "part",
    ),
    _Layout(
        "Instances by region (cf. Table 5 of the paper)",
        _REGION_NOTE,
        [Item("detection", name, region) for name in _KIND_NAMES for region in _REGIONS],
        "detection",
    ),
    _Layout(
        "Substructures inside matched vertebrae by region (cf. Table 5 of the paper)",
        _PART_NOTE,
        [Item("part", name, region) for name in SUBSTRUCTURES for region in _REGIONS],
        "part",
    ),
)
"""In the order of the report; the levels, which the data decide, come last."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table ready to print.

    Attributes
    ----------
    title, note : str
        Above and below it.
    header : tuple of str
        Column titles.
    rows : tuple of tuple of str
        Cells, as many as the header has.
    """

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def paper_tables(methods: Sequence[tuple[str, Summaries]]) -> tuple[Table, ...]:
    """Lay summaries out as the paper does.

    Parameters
    ----------
    methods : sequence of (name, summaries)
        One row per method and structure.

    Returns
    -------
    tuple of Table
        Tables without a row are left out.
    """
    layouts = (*_LAYOUTS, _Layout(_LEVELS_TITLE, _LEVELS_NOTE, _levels(methods), "level"))
    found = (_table(layout, methods) for layout in layouts)
    return tuple(table for table in found if table.rows)


def comparison_table(tested: Sequence[PairedTest], names: tuple[str, str]) -> Table:
    """Lay the paired tests of two methods out.

    Parameters
    ----------
    tested : sequence of PairedTest
        Family of tests.
    names : tuple of 2 str
        First and second method.

    Returns
    -------
    Table
        One row per test with at least one pair.
    """
    first, second = names
    rows = tuple(
        (
            _title(test.item),
            BY_NAME[test.metric].heading,
            str(test.result.n),
            f"{test.result.mean_difference:+.4f}",
            f"{test.result.median_difference:+.4f}",
            f"{test.result.effect:+.2f}",
            _p_text(test.result.p),
            _p_text(test.adjusted_p),
            _better(test, names),
        )
        for test in tested
        if test.result.n
    )
    return Table(
        f"{first} against {second}: Wilcoxon signed-rank test",
        f"Differences are {first} minus {second}, case by case. Effect: matched-pairs "
        "rank-biserial correlation, -1 to 1. p is two-sided; p (Holm) is adjusted over the tests "
        "of one metric among structures, parts or instances, whole spine and regions apart.",
        (
            *("structure", "metric", "cases", "mean difference", "median difference"),
            *("effect", "p", "p (Holm)", "better (Holm, 5 %)"),
        ),
        rows,
    )


def counts_table(
    methods: Sequence[tuple[MethodScores, Mapping[tuple[Item, str], int]]],
) -> Table:
    """Lay out how many instances were matched, extra and missed in all cases together."""
    rows = []
    for kind in KINDS:
        item = Item("detection", kind.name)
        for scores, counts in methods:
            if (item, "tp") in counts:
                tp, fp, fn = (counts[item, metric] for metric in ("tp", "fp", "fn"))
                pooled = tp / (tp + (fp + fn) / 2) if tp + fp + fn else float("nan")
                row = (kind.name, scores.name, str(tp), str(fp), str(fn), f"{pooled:.3f}")
                rows.append(row)
    return Table(
        "Instances of all cases together",
        "RQ here is pooled over all instances; the tables above give the mean over cases.",
        ("kind", "method", "matched", "extra", "missed", "RQ"),
        tuple(rows),
    )


def _table(layout: _Layout, methods: Sequence[tuple[str, Summaries]]) -> Table:
    rows, metrics = [], shown_in(layout.scope)
    for item in layout.items:
        for name, summary in methods:
            found = [summary.get((item, metric.name)) for metric in metrics]
            cases = max((s.n for s in found if s is not None), default=0)
            if cases:
                cells = ["-" if s is None else _cell(s) for s in found]
                rows.append((_title(item), name, str(cases), *cells))
    header = ("structure", "method", "cases", *(metric.heading for metric in metrics))
    return Table(layout.title, layout.note, header, tuple(rows))


def _levels(methods: Sequence[tuple[str, Summaries]]) -> list[Item]:
    names = {item for _, summary in methods for item, _ in summary if item.scope == "level"}
    order = {kind.name: n for n, kind in enumerate(KINDS)}
    rank = {instance: n for n, instance in enumerate(LEVEL_NAMES)}

    def place(item: Item) -> tuple[int, int]:
        kind, label = item.name.split(" ")
        return order[kind], rank[vertebra_of(int(label))]

    return sorted(names, key=place)


def _title(item: Item) -> str:
    if item == NAMING:
        return "levels of vertebrae"
    if item.scope == "level":
        kind, label = item.name.split(" ")
        return f"{kind} {LEVEL_NAMES[vertebra_of(int(label))]}"
    inside = " in matched vertebrae" if item.scope == "part" else ""
    kind = " instances" if item.scope == "detection" else ""
    where = "" if item.region is Region.WHOLE else f", {item.region}"
    return f"{item.name}{kind}{inside}{where}"


def _cell(summary: Summary) -> str:
    if not summary.n:
        return "-"
    text = f"{summary.mean:.3f}"
    if np.isfinite(summary.sd):
        text += f" ± {summary.sd:.3f} [{summary.low:.3f}, {summary.high:.3f}]"
    return text + (f" (n = {summary.n})" if summary.undefined else "")


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"  # noqa: PLR2004 - as papers print it


def _better(test: PairedTest, names: tuple[str, str]) -> str:
    if not test.adjusted_p < _SIGNIFICANT:
        return "-"
    first_is_higher = test.result.effect > 0
    return names[0] if first_is_higher != (BY_NAME[test.metric].direction == "lower") else names[1]

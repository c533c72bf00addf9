"""Pictures of an evaluation: spread over cases, recognition by region, overlap by level."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from app.research.evaluation.measures import Item
from app.research.evaluation.metrics import shown_in
from app.research.evaluation.regions import Region
from app.research.evaluation.structures import KINDS, STRUCTURES, SUBSTRUCTURES
from operators.anatomy.vertebrae import CRANIAL_TO_CAUDAL, LEVEL_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.research.evaluation.metrics import Metric

    Values = Mapping[tuple[Item, str], Mapping[str, float]]
    Methods = Sequence[tuple[str, Values]]

COLOURS = ("#0072b2", "#d55e00")
"""Told apart with any colour vision (Okabe and Ito)."""

_DPI = 110


def draw_plots(methods: Methods) -> dict[str, bytes]:
    """Draw every picture that the values allow.

    Parameters
    ----------
    methods : sequence of (name, values)
        Values as in ``MethodScores.values``; at most two methods.

    Returns
    -------
    dict
        File name without suffix to PNG.
    """
    structures = [Item("structure", name) for name in (*STRUCTURES, *SUBSTRUCTURES)]
    pictures = {
        **{spread_of(one): _spread(methods, structures, one) for one in shown_in("structure")},
        "recognition": _recognition(methods),
        "levels": _levels(methods),
    }
    return {name: _png(figure) for name, figure in pictures.items() if figure is not None}


def _defined(values: Values, item: Item, metric: str) -> list[float]:
    found = values.get((item, metric), {}).values()
    return [value for value in found if np.isfinite(value)]


def spread_of(metric: Metric) -> str:
    """Name of the picture that shows a metric of every structure, without its unit."""
    return f"structures_{metric.name.partition('_')[0]}"


def _spread(methods: Methods, items: Sequence[Item], metric: Metric) -> Figure | None:
    """Box plots with every case as a point, one row per structure."""
    shown = [item for item in items if any(_defined(v, item, metric.name) for _, v in methods)]
    if not shown:
        return None
    figure = Figure(figsize=(8, 1.2 + 0.36 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    height = 0.7 / len(methods)
    for n, (name, values) in enumerate(methods):
        at = [row + (n - (len(methods) - 1) / 2) * height for row in range(len(shown))]
        data = [_defined(values, item, metric.name) for item in shown]
        axes.boxplot(
            data,
            positions=at,
            orientation="horizontal",
            widths=height * 0.85,
            showfliers=False,
            manage_ticks=False,
            patch_artist=True,
            boxprops={"facecolor": COLOURS[n] + "40", "edgecolor": COLOURS[n]},
            medianprops={"color": COLOURS[n]},
        )
        for row, cases in zip(at, data, strict=True):
            axes.plot(cases, [row] * len(cases), ".", color=COLOURS[n], markersize=3)
        axes.plot([], [], "s", color=COLOURS[n], label=name)
    axes.set_yticks(range(len(shown)), [item.name for item in shown])
    axes.invert_yaxis()
    axes.set_xlabel(metric.axis)
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper right", ncols=len(methods))
    return figure


def _recognition(methods: Methods) -> Figure | None:
    """RQ, SQ and PQ of each kind, whole and by region: means over cases."""
    items = [Item("detection", kind.name, region) for kind in KINDS for region in Region]
    shown = [item for item in items if any(_defined(v, item, "rq") for _, v in methods)]
    if not shown:
        return None
    figure = Figure(figsize=(9, 1.2 + 0.3 * len(shown)), layout="constrained")
    qualities = [one for one in shown_in("detection") if one.basis == "instances"]
    for column, metric in enumerate(qualities):
        axes = figure.add_subplot(1, len(qualities), column + 1)
        height = 0.8 / len(methods)
        for n, (name, values) in enumerate(methods):
            at = [row + (n - (len(methods) - 1) / 2) * height for row in range(len(shown))]
            cases = [_defined(values, item, metric.name) for item in shown]
            means = [float(np.mean(c)) if c else 0.0 for c in cases]
            axes.barh(at, means, height, color=COLOURS[n], label=name if not column else None)
        axes.set_xlim(0, 1)
        axes.set_title(metric.title)
        axes.invert_yaxis()
        labels = [f"{i.name}, {i.region}" for i in shown] if not column else [""] * len(shown)
        axes.set_yticks(range(len(shown)), labels)
        axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper right", ncols=len(methods))
    return figure


def _levels(methods: Methods) -> Figure | None:
    """DSC of matched vertebrae by level, mean over cases.

    Unfilled where some were missed, a cross at the bottom where all were.
    """
    names = {f"vertebra {label}": LEVEL_NAMES[label] for label in CRANIAL_TO_CAUDAL}
    items = [Item("level", name) for name in names]
    shown = [item for item in items if any((item, "found") in v for _, v in methods)]
    if not shown:
        return None
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for n, (name, values) in enumerate(methods):
        aside = 0.2 * (n - (len(methods) - 1) / 2)
        for column, item in enumerate(shown):
            cases = _defined(values, item, "dsc")
            if not cases:
                if _defined(values, item, "found"):
                    bottom = axes.get_xaxis_transform()
                    axes.plot(column + aside, 0.03, "x", color=COLOURS[n], transform=bottom)
                continue
            all_found = all(_defined(values, item, "found"))
            axes.plot(
                column + aside,
                float(np.mean(cases)),
                marker="o",
                color=COLOURS[n],
                markerfacecolor=COLOURS[n] if all_found else "white",
            )
        axes.plot([], [], "o", color=COLOURS[n], label=name)
    axes.set_xticks(range(len(shown)), [names[item.name] for item in shown])
    axes.set_ylabel("DSC of matched vertebrae")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper right", ncols=len(methods))
    return figure


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    # No software version and date inside: the same scores give the same bytes.
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()

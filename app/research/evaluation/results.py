"""From scores to files: JSON for machines, CSV for spreadsheets, HTML for people."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from app import __version__
from app.errors import OutputUnwritableError
from app.research.evaluation.cohort import comparisons, summaries, totals
from app.research.evaluation.metrics import METRICS, drawn_in
from app.research.evaluation.plots import draw_plots
from app.research.evaluation.report import render_report
from app.research.evaluation.tables import comparison_table, counts_table, paper_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from app.research.evaluation.cohort import MethodScores, PairedTest
    from app.research.evaluation.measures import Item
    from app.research.evaluation.statistics import Summary
    from app.research.evaluation.tables import Table

_ENTITIES = ("sub", "ses")
_ENTITY = re.compile(r"(?:^|[_/])(sub|ses)-([A-Za-z0-9]+)")
"""Subject and session in the name of a case, as BIDS writes them."""

_ITEM_COLUMNS = ("method", "scope", "name", "region", "metric")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One or two methods on one reference, with their statistics.

    Attributes
    ----------
    methods : tuple of MethodScores
        The second is what the first is compared with.
    summaries : tuple of mapping
        One per method.
    tested : tuple of PairedTest
        Empty for one method.
    """

    methods: tuple[MethodScores, ...]
    summaries: tuple[Mapping[tuple[Item, str], Summary], ...]
    tested: tuple[PairedTest, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the report, in order."""
        names = [method.name for method in self.methods]
        tables = [
            *paper_tables(tuple(zip(names, self.summaries, strict=True))),
            counts_table([(method, totals(method)) for method in self.methods]),
        ]
        if self.tested:
            tables.append(comparison_table(self.tested, (names[0], names[1])))
        return tuple(table for table in tables if table.rows)


def evaluate_methods(methods: Sequence[MethodScores]) -> Evaluation:
    """Summarise one method, or two and compare them.

    Parameters
    ----------
    methods : sequence of 1 or 2 MethodScores
        Scored on the same reference.

    Returns
    -------
    Evaluation
        Everything that the files say.
    """
    tested = comparisons(methods[0], methods[1]) if len(methods) > 1 else ()
    return Evaluation(tuple(methods), tuple(summaries(m) for m in methods), tested)


def make_folder(folder: Path) -> None:
    """Make the report's folder, before hours are spent on what it is to hold.

    Raises
    ------
    OutputUnwritableError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputUnwritableError(
            f"the folder of the report cannot be made: {error.strerror}"
        ) from error


def write_results(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write ``evaluation.json``, four CSV tables, the pictures and ``report.html``.

    Parameters
    ----------
    evaluation : Evaluation
        From `evaluate_methods`.
    folder : Path
        Made if missing; files of these names are replaced.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    OutputUnwritableError
        If the folder cannot be written.
    """
    methods = [(method.name, method.values) for method in evaluation.methods]
    pictures = draw_plots(methods)
    files: dict[str, bytes] = {
        "evaluation.json": _json(as_document(evaluation)).encode(),
        "cases.csv": _csv(_CASE_COLUMNS, _case_rows(evaluation)),
        "measures.csv": _csv((*_ITEM_COLUMNS, "case", "value"), _measure_rows(evaluation)),
        "instances.csv": _csv(_INSTANCE_COLUMNS, _instance_rows(evaluation)),
        "summary.csv": _csv((*_ITEM_COLUMNS, *_SUMMARY_COLUMNS), _summary_rows(evaluation)),
        **{f"{name}.png": png for name, png in pictures.items()},
        "report.html": render_report(evaluation.methods, evaluation.tables, pictures).encode(),
    }
    if evaluation.tested:
        header = ("scope", "name", "region", "metric", *_TEST_COLUMNS, "p_holm")
        files["comparison.csv"] = _csv(header, _test_rows(evaluation))
    make_folder(folder)
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise OutputUnwritableError(f"the report cannot be written: {error.strerror}") from error
    return tuple(folder / name for name in files)


def as_document(evaluation: Evaluation) -> dict[str, Any]:
    """Everything as JSON-ready values; not-a-number becomes None."""
    return {
        "software": f"SPINEPS Node {__version__}",
        "metrics": [
            {name: getattr(metric, name) for name in _METRIC_COLUMNS} for metric in METRICS
        ],
        "methods": [
            {
                "name": method.name,
                "cases": sorted(method.cases),
                "missing": list(method.missing),
                "without_reference": list(method.without_reference),
                "refused": method.refused,
                "levels_known": method.levels_known,
                "label_schemes": method.schemes.as_json(),
                "summary": [
                    {**_item(item), "metric": metric, **_clean(asdict(found))}
                    for (item, metric), found in sorted(summary.items(), key=lambda kv: kv[0])
                ],
            }
            for method, summary in zip(evaluation.methods, evaluation.summaries, strict=True)
        ],
        "comparison": [
            {
                **_item(test.item),
                "metric": test.metric,
                **_clean({**asdict(test.result), "p_holm": test.adjusted_p}),
            }
            for test in evaluation.tested
        ],
    }


_METRIC_COLUMNS = ("name", "title", "unit", "direction", "definition")
_SUMMARY_COLUMNS = ("n", "undefined", "mean", "sd", "low", "high")
_TEST_COLUMNS = ("n", "mean_difference", "median_difference", "p", "effect")
_CASE_COLUMNS = ("method", "case", "subject", "session", "series_uid", "status", "reason")
_INSTANCE_COLUMNS = (
    *("method", "case", "kind", "outcome", "reference", "prediction", "region"),
    *drawn_in("match"),
)


def _case_rows(evaluation: Evaluation) -> Iterable[Sequence[object]]:
    """Say what became of each case, under the names by which it joins other tables."""
    for method in evaluation.methods:
        for case in sorted({*method.cases, *method.refused, *method.missing}):
            entities = dict(_ENTITY.findall(case))
            names = (f"{key}-{entities[key]}" if key in entities else "" for key in _ENTITIES)
            status = "missing" if case in method.missing else "scored"
            if case in method.refused:
                status = "refused"
            uid, reason = method.series.get(case, ""), method.refused.get(case, "")
            yield method.name, case, *names, uid, status, reason


def _measure_rows(evaluation: Evaluation) -> Iterable[Sequence[object]]:
    for method in evaluation.methods:
        for (item, metric), cases in sorted(method.values.items(), key=lambda kv: kv[0]):
            for case, value in cases.items():
                yield method.name, *_item(item).values(), metric, case, value


def _instance_rows(evaluation: Evaluation) -> Iterable[Sequence[object]]:
    for method in evaluation.methods:
        for case, score in method.cases.items():
            for instance in score.instances:
                values = {**asdict(instance), **dict.fromkeys(drawn_in("match"), math.nan)}
                values |= instance.values
                if not method.levels_known:
                    values["region"] = None
                yield method.name, case, *(values[name] for name in _INSTANCE_COLUMNS[2:])


def _summary_rows(evaluation: Evaluation) -> Iterable[Sequence[object]]:
    for method, summary in zip(evaluation.methods, evaluation.summaries, strict=True):
        for (item, metric), found in sorted(summary.items(), key=lambda kv: kv[0]):
            values = asdict(found)
            numbers = (values[name] for name in _SUMMARY_COLUMNS)
            yield method.name, *_item(item).values(), metric, *numbers


def _test_rows(evaluation: Evaluation) -> Iterable[Sequence[object]]:
    for test in evaluation.tested:
        values = asdict(test.result)
        numbers = (values[name] for name in _TEST_COLUMNS)
        yield *_item(test.item).values(), test.metric, *numbers, test.adjusted_p


def _item(item: Item) -> dict[str, str]:
    return {"scope": item.scope, "name": item.name, "region": str(item.region)}


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else value


def _clean(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in values.items()
    }


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

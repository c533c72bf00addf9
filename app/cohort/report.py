"""The page of a cohort: counts, failures by reason, distributions, overlays with outliers first.

One HTML file with everything inside it; only its links to tables and full-size overlays lead out,
to files beside it.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader

from app import __version__
from app.cohort.folder import write_whole
from app.cohort.outliers import LIMIT, Oddness, oddness_of
from app.cohort.pictures import distributions, thumbnail
from app.cohort.rows import OK
from app.cohort.tables import rows_with_seconds
from operators.dicom.identity.provenance import RESEARCH_NOTICE
from operators.spine.measurements.definitions import GRADE, IDENTIFIER, MEASURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from app.cohort.cases import CohortCase
    from app.cohort.folder import CohortFolder

REPORT: Final = "report.html"
_TEMPLATE: Final = "report.html"
_MOST_PICTURES: Final = 60
_PLOTTED: Final = {
    "seconds": "seconds per result",
    "vertebrae": "vertebrae",
    "confidence": "mean confidence",
    "body_middle_height": "vertebral body, middle height, mm",
    "disc_middle_height": "disc, middle height, mm",
    "canal_ap_diameter": "canal, AP diameter, mm",
    "cord_ap_diameter": "cord, AP diameter, mm",
    "body_volume": "vertebral body, volume, ml",
    "lumbar_lordosis": "lumbar lordosis, degrees",
}


@dataclass(frozen=True, slots=True)
class _Result:
    """What the page keeps of a result."""

    name: str
    overlay: str
    flags: tuple[str, ...]
    findings: tuple[str, ...]
    figures: dict[str, float]

    @property
    def doubts(self) -> str:
        """What the quality gate found, for people."""
        return "; ".join(self.findings)


@dataclass
class _Cohort:
    """What is collected while the cases are read one after the other."""

    cases: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    results: list[_Result] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    notices: set[str] = field(default_factory=set)

    def take(self, folder: CohortFolder, case: CohortCase) -> None:
        """Take a case in."""
        self.cases += 1
        for run in (folder.published(case) or {"runs": ()})["runs"]:
            self.notices.add(run["notice"])
            self.models |= {f"{one['name']} {one['version']}" for one in run["models"].values()}
        for row, seconds in rows_with_seconds(folder, case):
            self.counts[row["status"]] += 1
            name = " ".join(part for part in (case.subject, case.session) if part)
            if row["status"] == OK:
                self.results.append(_result(folder, case, row, seconds))
            else:
                self.failures[row.get("reason") or row["status"]].append(name)


def write_report(folder: CohortFolder, cases: Iterable[CohortCase]) -> None:
    """Write ``report.html``.

    Parameters
    ----------
    folder : CohortFolder
        Output.
    cases : iterable of CohortCase
        In order. Of each result some figures are kept, no image.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    cohort = _Cohort()
    for case in cases:
        cohort.take(folder, case)
    loader = FileSystemLoader(Path(__file__).parent)
    page = Environment(loader=loader, autoescape=True).get_template(_TEMPLATE)
    results = cohort.results
    text = page.render(
        cases=cohort.cases,
        results=len(results),
        notice="; ".join(sorted(cohort.notices)) or RESEARCH_NOTICE,
        version=__version__,
        models=" and ".join(sorted(cohort.models)) or "no network",
        counts=sorted(cohort.counts.items()),
        failures=sorted(cohort.failures.items(), key=lambda item: (-len(item[1]), item[0])),
        plots=distributions(
            {
                title: [one.figures[key] for one in results if key in one.figures]
                for key, title in _PLOTTED.items()
            }
        ),
        flags=Counter(flag for one in results for flag in one.flags).most_common(),
        montage=list(_montage(folder, results)),
        limit=LIMIT,
    )
    write_whole(folder.output / REPORT, text)


def _montage(folder: CohortFolder, results: list[_Result]) -> Iterator[dict[str, str]]:
    odd = oddness_of([_compared(one) for one in results])
    ranked = sorted(zip(results, odd, strict=True), key=_strangest_first)
    for result, oddness in ranked[:_MOST_PICTURES]:
        yield {
            "name": result.name,
            "why": "; ".join(part for part in (oddness.why, result.doubts) if part),
            "picture": thumbnail(folder.output / result.overlay),
            "link": quote(result.overlay),
        }


def _strangest_first(pair: tuple[_Result, Oddness]) -> tuple[float, float]:
    result, oddness = pair
    score = max(oddness.score, LIMIT if result.findings else 0.0)
    return -score, result.figures.get("confidence", 1.0)


def _compared(result: _Result) -> dict[str, float]:
    return {key: value for key, value in result.figures.items() if key != "seconds"}


def _result(
    folder: CohortFolder, case: CohortCase, row: dict[str, Any], seconds: float | None
) -> _Result:
    place = case.folder
    names = {name.rpartition("_")[2]: str(place / name) for name in row["files"]}
    measured = names.get("measurements.csv")
    figures = {"seconds": seconds, "vertebrae": row["vertebrae"], "confidence": row["confidence"]}
    figures |= {f"{name}_volume": ml for name, ml in row["volumes_ml"].items()}
    return _Result(
        name=" ".join(part for part in (case.subject, case.session, row["series"]) if part),
        overlay=names.get("overlay.png", ""),
        flags=tuple(row["flags"]),
        findings=tuple(row["findings"]),
        figures={key: float(value) for key, value in figures.items() if value is not None}
        | (_means(folder.output / measured) if measured else {}),
    )


def _means(table: Path) -> dict[str, float]:
    """Mean over its levels of every measure of a result."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    with table.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            about = MEASURES[line["measure"]]
            if line["value"] and about.unit not in {GRADE, IDENTIFIER}:
                values[line["measure"]].append(float(line["value"]))
    return {key: sum(found) / len(found) for key, found in values.items()}

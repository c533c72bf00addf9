"""Two tables of a whole cohort, written case after case: what became of each, what was measured."""

from __future__ import annotations

import csv
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

from app.cohort.folder import own_name
from app.cohort.rows import OK
from operators.dicom.identity.result_kinds import MEASUREMENTS as MEASUREMENTS_TABLE
from operators.spine.measurements.rows import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from app.cohort.cases import CohortCase
    from app.cohort.folder import CohortFolder

COHORT: Final = "cohort.csv"
MEASUREMENTS: Final = "measurements.csv"
OPEN: Final = "open"
"""Status of a case that is not done yet."""

_COHORT_COLUMNS: Final = (
    *("subject", "session", "series", "series_uid", "source", "status", "reason", "seconds"),
    *("quality", "flags", "confidence", "vertebrae"),
)


def write_tables(folder: CohortFolder, cases: Iterable[CohortCase]) -> None:
    """Write ``cohort.csv`` and ``measurements.csv``.

    Parameters
    ----------
    folder : CohortFolder
        Output.
    cases : iterable of CohortCase
        All of the data set, in order; one that is not published is told as open.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    with (
        _table(folder.output / COHORT) as cohort,
        _table(folder.output / MEASUREMENTS) as measurements,
    ):
        about, values = (csv.writer(file, lineterminator="\n") for file in (cohort, measurements))
        about.writerow(_COHORT_COLUMNS)
        values.writerow(("subject", "session", *COLUMNS))
        for case in cases:
            for row, seconds in rows_with_seconds(folder, case):
                about.writerow(_line(case, row, seconds))
                values.writerows(_measured(folder, case, row))


def rows_with_seconds(
    folder: CohortFolder, case: CohortCase
) -> Iterator[tuple[dict[str, Any], float | None]]:
    """Rows of a case as published (`app.cohort.rows.Row`), each with its seconds where known."""
    record = folder.published(case)
    if record is None:
        for source in case.sources:
            yield {"source": source.name, "status": OPEN}, None
        return
    try:
        seconds: list[float | None] = json.loads(folder.seconds_of(case.case_id).read_text("utf-8"))
    except (OSError, ValueError):
        seconds = [None] * len(record["rows"])
    yield from zip(record["rows"], seconds, strict=True)


def _line(case: CohortCase, row: dict[str, Any], seconds: float | None) -> tuple[object, ...]:
    confidence = row.get("confidence")
    return (
        *(case.subject, case.session, row.get("series", ""), row.get("series_uid", "")),
        *(row["source"], row["status"], row.get("reason", "")),
        "" if seconds is None else f"{seconds:.3f}",
        row.get("quality", ""),
        "; ".join(row.get("flags", ())),
        "" if confidence is None else f"{confidence:.4f}",
        row["vertebrae"] if row["status"] == OK else "",
    )


def _measured(folder: CohortFolder, case: CohortCase, row: dict[str, Any]) -> Iterator[list[str]]:
    for name in row.get("files", ()):
        if name.endswith(MEASUREMENTS_TABLE.suffix):
            with (folder.output / case.folder / name).open(encoding="utf-8", newline="") as file:
                lines = csv.reader(file)
                next(lines)  # the header
                yield from ([case.subject, case.session, *line] for line in lines)


@contextmanager
def _table(path: Path) -> Iterator[TextIO]:
    """Open a text file that takes its place when it is complete."""
    part = path.with_name(f".{path.name}.{own_name()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

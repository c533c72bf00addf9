"""Measurements of a run's record in the words of the report, for the page of a job.

The same flags, letters and names as on the PDF: both are made by `operators.report.content`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operators.anatomy.levels import from_json
from operators.report.content import Measured, Said, said_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class _Value:
    instance: int
    measure: str
    value: float | None = None
    reason: str | None = None


def said_of_entry(entry: Mapping[str, Any]) -> Said | None:
    """Put the measurements of one series into words.

    Parameters
    ----------
    entry : mapping
        `app.run.record.SeriesRecordEntry` as plain data.

    Returns
    -------
    Said or None
        None where nothing was measured, or where another version wrote what is not known here.
    """
    try:
        values = list(_values(entry))
        levels = {int(n): from_json(level) for n, level in (entry.get("levels") or {}).items()}
        # The page lists the findings of the quality gate by itself.
        return said_of(Measured(measurements=values, levels=levels)) if values else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _values(entry: Mapping[str, Any]) -> Iterator[_Value]:
    for one in entry.get("measurements") or ():
        instance = int(one["instance"])
        for measure, value in one["values"].items():
            yield _Value(instance, measure, value=float(value))
        for measure, reason in one["not_given"].items():
            yield _Value(instance, measure, reason=str(reason))

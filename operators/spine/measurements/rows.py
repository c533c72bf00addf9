"""Measurements as tables: long-form CSV for a sheet, one document per structure for a program."""

from __future__ import annotations

import csv
import io
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from operators.spine.measurements.definitions import MEASURES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from operators.spine.measurements.measure import Measurement

COLUMNS: Final = (
    "series",
    "instance",
    "level",
    "structure",
    "measure",
    "value",
    "unit",
    "reason",
)


def csv_text(key: str, rows: Iterable[Measurement]) -> str:
    """Content of a CSV file: one line per measure, given or not.

    Parameters
    ----------
    key : str
        Of the case, without patient data; stands in every line, so that files can be joined.
    rows : iterable of Measurement
        In order.

    Returns
    -------
    str
        RFC 4180 with line feeds and a header line. Units are UCUM; a measure without a value has a
        reason.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        about = MEASURES[row.measure]
        value = "" if row.value is None else f"{row.value:.{about.decimals}f}"
        place = (key, row.instance, row.level, about.structure)
        writer.writerow((*place, row.measure, value, about.unit, row.reason or ""))
    return text.getvalue()


def documents(rows: Iterable[Measurement]) -> tuple[dict[str, Any], ...]:
    """Collect the measurements of each vertebra and disc, and of the spine as a whole.

    Parameters
    ----------
    rows : iterable of Measurement
        In order.

    Returns
    -------
    tuple of dict
        ``instance``, ``level``, ``values`` by measure, ``not_given``: reason by measure.
    """
    return tuple(
        {
            "instance": instance,
            "level": level,
            "values": {row.measure: row.value for row in group if row.value is not None},
            "not_given": {row.measure: row.reason for row in group if row.value is None},
        }
        for (instance, level), found in groupby(rows, lambda row: (row.instance, row.level))
        for group in [tuple(found)]
    )


def units_of(measured: Iterable[dict[str, Any]]) -> dict[str, str]:
    """UCUM unit of every measure in some `documents`, in the order of the table."""
    keys = {key for one in measured for key in (*one["values"], *one["not_given"])}
    return {key: about.unit for key, about in MEASURES.items() if key in keys}

"""Measurements as lines of a CSV file and as documents of the record."""

from __future__ import annotations

import csv
import io
import json

from operators.spine.measurements.measure import Measurement
from operators.spine.measurements.rows import COLUMNS, csv_text, documents, units_of

ROWS = (
    Measurement(instance=20, level="L1", measure="body_anterior_height", value=26.5),
    Measurement(instance=20, level="L1", measure="slip", reason="neighbour_not_measured"),
    Measurement(instance=120, level="L1/L2", measure="disc_volume", value=11.0),
    Measurement(instance=0, level="", measure="lumbar_lordosis", reason="levels_unknown"),
)


def test_a_line_says_what_was_measured_or_why_not() -> None:
    lines = list(csv.reader(io.StringIO(csv_text("s1, left", ROWS))))
    assert tuple(lines[0]) == COLUMNS
    assert lines[1:] == [
        ["s1, left", "20", "L1", "vertebral_body", "body_anterior_height", "26.50", "mm", ""],
        ["s1, left", "20", "L1", "vertebral_body", "slip", "", "mm", "neighbour_not_measured"],
        ["s1, left", "120", "L1/L2", "disc", "disc_volume", "11.00", "mL", ""],
        ["s1, left", "0", "", "spine", "lumbar_lordosis", "", "deg", "levels_unknown"],
    ]


def test_a_document_per_structure_holds_values_reasons_and_units() -> None:
    found = documents(ROWS)
    assert found == (
        {
            "instance": 20,
            "level": "L1",
            "values": {"body_anterior_height": 26.5},
            "not_given": {"slip": "neighbour_not_measured"},
        },
        {"instance": 120, "level": "L1/L2", "values": {"disc_volume": 11.0}, "not_given": {}},
        {
            "instance": 0,
            "level": "",
            "values": {},
            "not_given": {"lumbar_lordosis": "levels_unknown"},
        },
    )
    assert units_of(found) == {
        "body_anterior_height": "mm",
        "slip": "mm",
        "disc_volume": "mL",
        "lumbar_lordosis": "deg",
    }
    assert json.loads(json.dumps(found))[0]["instance"] == 20


def test_nothing_measured_is_a_header_and_nothing() -> None:
    assert csv_text("s1", ()) == ",".join(COLUMNS) + "\n"
    assert documents(()) == ()
    assert units_of(()) == {}

"""Measurements of a record in the words of the report."""

from __future__ import annotations

from typing import Any

import pytest

from app.node.web.measured import said_of_entry
from app.run.record import entry_of
from operators.anatomy.levels import LevelName
from operators.case import Case
from operators.report.content import Measured, said_of
from operators.spine.measurements.measure import Measurement

CASE = Case(
    key="series2_ab12",
    levels={7: LevelName(22, 0.99), 8: LevelName(26, 0.7, ("small",), 24)},
    measurements=(
        Measurement(instance=7, level="L3", measure="body_anterior_height", value=27.2),
        Measurement(instance=7, level="L3", measure="slip", value=4.5),
        Measurement(instance=107, level="", measure="canal_ap_diameter", value=8.0),
        Measurement(instance=107, level="", measure="canal_area", reason="slices_too_thick"),
        Measurement(instance=8, level="", measure="slip", reason="cut_by_image_border"),
        Measurement(instance=0, level="", measure="sacral_slope", value=40.0),
    ),
)


def entry(**changes: Any) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    return asdict(entry_of(CASE)) | changes


def test_the_page_says_what_the_report_says():
    expected = said_of(Measured(measurements=CASE.measurements, levels=CASE.levels))
    assert said_of_entry(entry()) == expected
    assert [name for name, _ in expected.rows] == ["L3  (7)", "S?  (8)"]
    assert len(expected.findings) == 2


def test_a_reason_of_another_version_is_shown_in_its_own_words():
    rows = [{"instance": 7, "level": "", "values": {}, "not_given": {"slip": "moved_too_much"}}]
    said = said_of_entry(entry(measurements=rows))
    assert said is not None
    assert said.reasons == (("a", "moved too much"),)


@pytest.mark.parametrize(
    "changes",
    [
        {"measurements": ()},
        {"measurements": None},
        {"levels": {"7": {"level": "X9", "confidence": 1.0}}},
        {"measurements": [{"instance": 7}]},
        {"measurements": [{"instance": 99, "values": {"slip": 1.0}, "not_given": {}}]},
        {"measurements": [{"instance": "seven", "values": {}, "not_given": {}}]},
    ],
)
def test_what_is_not_known_here_is_left_out(changes: dict[str, Any]):
    assert said_of_entry(entry(**changes)) is None


def test_a_record_from_before_there_were_measurements_has_none():
    assert said_of_entry({"key": "series2", "status": "ok"}) is None

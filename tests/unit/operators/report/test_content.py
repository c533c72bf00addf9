"""What a report says: every value in its place, every missing one with its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from operators.anatomy.levels import LevelName
from operators.dicom.identity.provenance import IntendedUse
from operators.report.content import WITHHELD, Measured, Said, said_of
from operators.report.document import report_of
from operators.report.words import COLUMNS, REASON_WORDS
from operators.spine.measurements.definitions import MEASURES
from operators.spine.measurements.measure import Measurement
from operators.spine.measurements.quantities import Reason
from tests.builders.results import CONTEXT

NAMES = [name for _, columns in COLUMNS for name, _, _ in columns]
LEVELS = {7: LevelName(22, 1.0), 8: LevelName(23, 0.8), 9: LevelName(24, 0.3)}
"""L3; probably L4; uncertain."""


def value(instance: int, measure: str, number: float) -> Measurement:
    return Measurement(instance=instance, level="", measure=measure, value=number)


def missing(instance: int, measure: str, reason: Reason) -> Measurement:
    return Measurement(instance=instance, level="", measure=measure, reason=str(reason))


ROWS = (
    missing(106, "disc_anterior_height", Reason.CUT_BY_IMAGE_BORDER),
    value(7, "body_anterior_height", 27.26),
    value(7, "wedge_ratio", 0.905),
    value(107, "disc_middle_height", 8.0),
    value(107, "canal_ap_diameter", 8.44),
    value(8, "slip", -4.0),
    value(8, "slip_percent", -0.3),
    missing(8, "meyerding_grade_proposed", Reason.BACKWARD_SLIP),
    missing(108, "canal_area", Reason.CUT_BY_IMAGE_BORDER),
    value(9, "canal_ap_diameter", 9.0),
    missing(0, "lumbar_lordosis", Reason.LEVELS_UNKNOWN),
    value(0, "sacral_slope", 38.4),
    value(0, "coronal_cobb", 12.0),
    value(0, "coronal_cobb_upper_vertebra", 7.0),
    value(0, "coronal_cobb_lower_vertebra", 9.0),
)


MEASURED = Measured(
    measurements=ROWS,
    levels=LEVELS,
    quality=("A body is flat: vertebra 8 (0.2, limit 0.3).",),
    facts=("sacral_part_joined_to_sacrum",),
)


def said(**changes: object) -> Said:
    return said_of(replace(MEASURED, **changes))


def cell(name: str, row: int, at: int = 0) -> str:
    places = [n for n, own in enumerate(NAMES) if own == name]
    return said().rows[row][1][places[at]].text


def test_rows_are_vertebrae_with_the_disc_below_them():
    assert [name for name, _ in said().rows] == ["disc above", "L3  (7)", "L4?  (8)", "9"]
    assert cell("ant", 1) == "27.3"
    assert cell("wedge", 1) in {"0.90", "0.91"}
    assert cell("mid", 1, at=1) == "8.0"
    assert (cell("mm", 2), cell("%", 2)) == ("-4.0", "0")


def test_a_missing_value_has_the_letter_of_its_reason():
    assert said().reasons == (
        ("a", "cut off by the image's border"),
        ("b", "backward slips are not graded"),
    )
    assert cell("ant", 0, at=1) == "a"
    assert cell("M", 2) == "b"
    assert cell("area", 2) == "a"


def test_a_vertebra_with_processes_alone_has_no_row_and_one_that_is_cut_has():
    absent = missing(2, "body_anterior_height", Reason.NOT_PRESENT)
    cut = missing(3, "body_anterior_height", Reason.CUT_BY_IMAGE_BORDER)
    rows = said(measurements=(absent, cut, *ROWS)).rows
    assert [name for name, _ in rows][:2] == ["3", "disc above"]


def test_flagged_values_are_marked_and_listed_once_per_threshold():
    made = said()
    marked = [
        (name, NAMES[n], c.text)
        for name, cells in made.rows
        for n, c in enumerate(cells)
        if c.is_flagged
    ]
    assert marked == [("L3  (7)", "disc", "8.4"), ("L4?  (8)", "mm", "-4.0"), ("9", "body", "9.0")]
    assert made.findings == (
        "Canal narrower than 10 mm from front to back: L3/L4? 8.4 mm, vertebra 9 9.0 mm",
        "Slip of 3 mm or more: L4? 4.0 mm backward",
        "Curve to the side of 10 degrees or more: 12.0 degrees",
    )


def test_doubts_name_uncertain_levels_findings_of_the_gate_and_warnings():
    assert said().doubts == (
        "Names that are probable only: L4?",
        "Level uncertain: vertebra 9",
        "A body is flat: vertebra 8 (0.2, limit 0.3).",
        "Sacral part joined to sacrum",
    )
    assert said(quality=(), facts=(), levels={7: LevelName(22, 1.0)}).doubts == ()


def test_curves_are_given_or_say_why_not():
    curves = dict(said().curves)
    assert curves["Not given"] == "lumbar lordosis: its levels are not named without reserve"
    assert list(curves)[-1] == "Not given"
    assert curves["Sacral slope"].startswith("38° (upper end surface of S1")
    assert curves["Coronal Cobb angle"].startswith("12° between L3 and vertebra 9 (")
    assert "Thoracic kyphosis" not in curves


def test_published_values_are_said_beside_what_is_measured_of_a_named_level():
    (discs,) = said().published  # the lordosis is not given
    assert discs.startswith("Disc height")
    assert discs.endswith("169 young Asian adults without symptoms [J Orthop Surg Res 2018, 13:34]")
    assert said(levels={9: LevelName(24, 0.3)}).published == ()
    (lordosis,) = said(measurements=(value(0, "lumbar_lordosis", 40.0),)).published
    assert lordosis.startswith("Lumbar lordosis")
    assert said(measurements=()).published == ()


def test_the_origin_names_software_models_and_digests():
    origin = dict(report_of(MEASURED, CONTEXT, (), (("Made", "now"),)).origin)
    assert origin["Made"] == "now"
    software = "SPINEPS Node 0.1.0, cpu-fp32"
    assert origin["Software"] == f"{software}; research use only, not for diagnosis"
    assert origin["Model, phase 1"] == f"t2w_bundled 1.0.0, SHA-256 {'a1' * 32}"
    use = IntendedUse(statement="Trial 7 only", responsible="A. Person")
    intended = report_of(MEASURED, replace(CONTEXT, intended_use=use), ())
    assert dict(intended.origin)["Software"] == f"{software}; {use.text}"
    assert intended.notice == use.text


def test_every_reason_has_words_and_every_column_a_measure():
    assert set(REASON_WORDS) == set(map(str, Reason))
    assert {key for _, columns in COLUMNS for _, key, _ in columns} <= set(MEASURES)


@pytest.mark.parametrize("measurements", [(), ROWS[:1]])
def test_a_result_without_measurements_is_reported_all_the_same(measurements: tuple):
    made = said(measurements=measurements)
    assert made.findings == ()
    assert len(made.rows) == len(measurements)


def test_of_a_withheld_result_it_is_said_once_and_first_that_nothing_is_measured():
    withheld = tuple(
        replace(row, value=None, reason=str(Reason.WITHHELD)) if row.value is not None else row
        for row in ROWS
    )
    made = said(measurements=withheld)
    assert made.findings == (WITHHELD, *MEASURED.quality)
    assert made.doubts == said(quality=()).doubts
    assert (made.rows, made.curves, made.reasons, made.published) == ((), (), (), ())

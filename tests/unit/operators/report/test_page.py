"""The PDF: what is on its pages, which bytes it has."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from operators.report.content import Cell, Said
from operators.report.document import Report
from operators.report.look import shown
from operators.report.page import TITLE, pdf_of
from operators.report.published import PUBLISHED
from operators.report.words import COLUMNS

CELLS = sum(len(columns) for _, columns in COLUMNS)
ROW = (
    "L3  (7)",
    (Cell("a", is_reason=True), Cell("8.4", is_flagged=True), *[Cell("1.0")] * (CELLS - 2)),
)
SAID = Said(
    findings=("Slip of 3 mm or more: L4 4.0 mm forward",),
    doubts=("Level uncertain: vertebra 9",),
    rows=(ROW,),
    curves=(("Sacral slope", "38°"),),
    reasons=(("a", "cut off by the image's border"),),
    published=tuple(row.text for row in PUBLISHED[:2]),
)
REPORT = Report(
    identity=(("Patient", "Doe, Jane <b>&"), ("Patient ID", "0012"), ("Born", "")),
    notice="research use only, not for diagnosis",
    said=SAID,
    origin=(("Software", "SPINEPS Node"),),
)


def saying(**changes: object) -> Report:
    return replace(REPORT, said=replace(SAID, **changes))


def picture(width: int = 60, height: int = 40) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height), "grey").save(buffer, format="JPEG")
    return buffer.getvalue()


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


@pytest.fixture(scope="module")
def pdf() -> bytes:
    return pdf_of(REPORT, picture())


def test_the_same_report_gives_the_same_bytes(pdf: bytes):
    assert pdf_of(REPORT, picture()) == pdf
    other = saying(findings=())
    assert pdf_of(other, picture()) != pdf


def test_a_lumbar_spine_and_24_levels_fit_on_two_pages():
    long = saying(rows=(ROW,) * 26, findings=SAID.findings * 4, doubts=SAID.doubts * 6)
    assert pages(pdf_of(long, picture(1000, 900))) == 2
    assert pages(pdf_of(REPORT, picture(1000, 400))) == 1


def test_a_picture_is_made_smaller_where_that_saves_the_second_page():
    nearly = saying(rows=(ROW,) * 8, doubts=SAID.doubts * 5)
    assert pages(pdf_of(nearly, picture(1000, 300))) == 1
    assert pages(pdf_of(nearly, picture(1000, 700))) == 1
    assert b"/Height 700" in pdf_of(nearly, picture(1000, 700))  # drawn smaller, not coarser


def test_document_properties_hold_no_patient_and_no_time_of_the_machine(pdf: bytes):
    assert b"Doe" not in pdf
    assert b"D:20000101000000" in pdf  # ReportLab's fixed date
    assert b"Spine MR: automatic measurements" in pdf


def test_typefaces_are_embedded(pdf: bytes):
    assert pdf.count(b"/FontFile2") == 2
    assert b"+DejaVuSans" in pdf


def test_every_page_says_whose_it_is_how_many_there_are_and_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch,
):
    written: list[str] = []
    draw = Canvas.drawRightString
    monkeypatch.setattr(
        Canvas, "drawRightString", lambda c, x, y, text: written.append(text) or draw(c, x, y, text)
    )
    drawn: list[str] = []
    left = Canvas.drawString
    monkeypatch.setattr(
        Canvas,
        "drawString",
        lambda c, x, y, text, **k: drawn.append(text) or left(c, x, y, text, **k),
    )
    long = saying(rows=(ROW,) * 40)
    assert pages(pdf_of(long, picture(1000, 900))) == 2
    assert written[:4] == ["", "page 1 of 2", "Doe, Jane <b>&, 0012", "page 2 of 2"]
    assert drawn.count("Research use only, not for diagnosis") == drawn.count(TITLE) >= 2
    drawn.clear()
    pdf_of(replace(REPORT, notice=""), picture())
    assert "Research use only, not for diagnosis" not in drawn


def test_names_that_look_like_markup_are_text():
    hostile = (("Patient", "<para><img src='/etc/passwd'/>"), ("Patient ID", "a & b"))
    made = replace(saying(doubts=("<b>", "]]>")), identity=hostile)
    assert pages(pdf_of(made, picture())) == 1


@pytest.mark.parametrize("name", ["Łukaszewicz, Žofie", "Παπαδοπούλου", "Иванова", "Nguyễn"])
def test_european_and_vietnamese_names_are_shown_as_they_are(name: str):
    assert shown(name) == name


@pytest.mark.parametrize("name", ["山田, 太郎", "محمد", "כהן", "김희중"])
def test_a_name_that_the_typeface_cannot_write_is_said_to_stand_in_the_header(name: str):
    assert shown(name) == "not in this typeface: see the DICOM header"


def test_the_longest_intended_use_stays_on_the_page_and_clear_of_its_number(
    monkeypatch: pytest.MonkeyPatch,
):
    drawn: list[tuple[float, float, str]] = []
    left = Canvas.drawString

    def noted(canvas: Canvas, x: float, y: float, text: str, **others: object) -> None:
        drawn.append((x + canvas.stringWidth(text), y, text))
        left(canvas, x, y, text, **others)

    monkeypatch.setattr(Canvas, "drawString", noted)
    longest = f"{'measuring spines ' * 18}(responsible: {'N' * 64})"
    pdf_of(replace(REPORT, notice=longest), picture())
    lines = [(end, y, text) for end, y, text in drawn if text and text.lower() in longest.lower()]
    assert " ".join(text for _, _, text in lines).lower() == longest.lower()
    assert 1 < len(lines) <= 4
    assert all(end < A4[0] - 36 * mm and y > 2 * mm for end, y, _ in lines)

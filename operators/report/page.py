"""The report as a PDF of one or two A4 pages: picture, flags, table, limits, origin.

Made with ReportLab in its invariant mode: no time of creation, no random identifier, so the same
content gives the same bytes. The typeface is embedded. The document's own properties name no
patient; only the page does.
"""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from operators.anatomy.colours import STRUCTURE_COLOURS
from operators.anatomy.labels import Structure
from operators.report.flags import THRESHOLDS
from operators.report.identity import IMAGE, PATIENT, PATIENT_ID
from operators.report.look import (
    BOLD,
    FLAG,
    INK,
    LINE,
    QUIET,
    REGULAR,
    register_fonts,
    shown,
    style,
)
from operators.report.table import measurement_table
from operators.report.words import LIMITS, SHORT_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.report.document import Report

TITLE: Final = "Spine MR: automatic measurements"

_MARGIN: Final = 12 * mm
_WIDTH: Final = A4[0] - 2 * _MARGIN
_PICTURE_HEIGHTS: Final = (100 * mm, 76 * mm, 66 * mm)
"""The highest that gets all onto one page; the first where none does."""
_PAGE_NUMBER: Final = 24 * mm
"""Width that the number of the page takes."""

_NOTICE_SIZES: Final = (8.0, 5.5)
"""The first fits a line; in the second the longest that settings take has four."""

_LEGEND: Final = (
    ("vertebral body", Structure.CORPUS),
    ("disc", Structure.DISC),
    ("end plates", Structure.ENDPLATE_SUPERIOR),
    ("canal", Structure.CANAL),
    ("cord", Structure.CORD),
    ("arch", Structure.ARCUS),
    ("spinous process", Structure.SPINOUS_PROCESS),
    ("sacrum", Structure.SACRUM),
)


def pdf_of(report: Report, picture: bytes) -> bytes:
    """Lay out a report.

    Parameters
    ----------
    report : Report
        What it says.
    picture : bytes
        Picture of `operators.imaging.overlay.page_jpeg`.

    Returns
    -------
    bytes
        PDF 1.4; the same input gives the same bytes with the same versions of ReportLab, Pillow
        and zlib.
    """
    register_fonts()
    first, pages = _laid_out(report, picture, _PICTURE_HEIGHTS[0])
    if pages == 1:
        return first
    others = (_laid_out(report, picture, height) for height in _PICTURE_HEIGHTS[1:])
    return next((pdf for pdf, pages in others if pages == 1), first)


def _laid_out(report: Report, picture: bytes, highest: float) -> tuple[bytes, int]:
    """Pages with a picture of at most this height, and how many they are."""
    buffer = BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=18 * mm,
        initialFontName=REGULAR,
        bottomMargin=15 * mm,
        title=TITLE,
        author="",
        invariant=1,
        pageCompression=1,
        lang="en",
    )
    said = report.said
    story = [
        *_identity(report),
        _picture(picture, highest),
        Paragraph(_legend(), style("legend")),
        *_list("To look at first", said.findings or ("No value beyond a threshold below.",)),
        *_list("To check", said.doubts),
        *_table(report),
        KeepTogether(_pairs("Curves", said.curves)),
        *_list("Published values of healthy adults (not limits)", said.published, "small"),
        *_list("Limits", LIMITS, "small"),
        KeepTogether(_pairs("Origin", report.origin, "small")),
    ]
    document.build(story, canvasmaker=partial(_Pages, report=report))
    return buffer.getvalue(), int(document.page)


class _Pages(Canvas):  # type: ignore[misc] # reportlab has no types
    """Canvas that writes head and foot once it knows how many pages there are."""

    def __init__(self, *args: Any, report: Report, **kwargs: Any) -> None:  # noqa: ANN401 - its own
        """Keep whose report it is."""
        super().__init__(*args, **kwargs)
        self._report = report
        self._states: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - ReportLab's name
        """Put a page aside."""
        self._states.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Finish all pages and write them."""
        for number, state in enumerate(self._states, 1):
            self.__dict__.update(state)
            self._head_and_foot(number, len(self._states))
            super().showPage()
        super().save()

    def _head_and_foot(self, number: int, count: int) -> None:
        width, height = A4
        right = width - _MARGIN
        self.setFillColor(INK)
        self.setFont(BOLD, 13)
        self.drawString(_MARGIN, height - 14 * mm, TITLE)
        self.setFont(REGULAR, 8)
        self.setFillColor(QUIET)
        # Whose page it is must be on every one of them: sheets get apart.
        whose = ", ".join(
            shown(value) for label, value in self._report.identity if label in _ON_EVERY_PAGE
        )
        self.drawRightString(right, height - 13 * mm, whose if number > 1 else "")
        self.drawRightString(right, 8 * mm, f"page {number} of {count}")
        self.setStrokeColor(LINE)
        self.line(_MARGIN, 12 * mm, right, 12 * mm)
        self._write_notice(right - _MARGIN - _PAGE_NUMBER)

    def _write_notice(self, room: float) -> None:
        """Say what the result may be used for: smaller, in several lines, where it is long."""
        notice = self._report.notice[:1].upper() + self._report.notice[1:]
        size = _NOTICE_SIZES[0]
        if stringWidth(notice, BOLD, size) > room:
            size = _NOTICE_SIZES[1]
        self.setFont(BOLD, size)
        self.setFillColor(FLAG)
        lines = simpleSplit(notice, BOLD, size, room)
        first = 8 * mm if len(lines) == 1 else 9.8 * mm
        for n, line in enumerate(lines):
            self.drawString(_MARGIN, first - n * 1.1 * size, line)


_ON_EVERY_PAGE: Final = (PATIENT, PATIENT_ID, IMAGE)


def _identity(report: Report) -> list[Any]:
    """Whose images these are, side by side."""
    if not report.identity:
        return []
    cells = [
        Paragraph(
            f'<font color="#5c6b7a" size="6.4">{escape(label)}</font><br/>'
            + (escape(shown(value)) or "-"),
            style("text"),
        )
        for label, value in report.identity
    ]
    table = Table([cells], colWidths=[_WIDTH / len(cells)] * len(cells))
    table.setStyle([("BOX", (0, 0), (-1, -1), 0.5, LINE), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return [table, Spacer(1, 3 * mm)]


def _picture(picture: bytes, highest: float) -> Image:
    shown = Image(BytesIO(picture))
    scale = min(_WIDTH / shown.imageWidth, highest / shown.imageHeight)
    shown.drawWidth, shown.drawHeight = shown.imageWidth * scale, shown.imageHeight * scale
    return shown


def _legend() -> str:
    marks = []
    for name, structure in _LEGEND:
        red, green, blue = STRUCTURE_COLOURS[structure]
        marks.append(f'<font color="#{red:02x}{green:02x}{blue:02x}">■</font> {name}')
    return " &nbsp; ".join(marks)


def _list(title: str, lines: Sequence[str], kind: str = "text") -> list[Any]:
    if not lines:
        return []
    text = "<br/>".join(f"• {escape(line)}" for line in lines)
    return [Paragraph(title, style("heading")), Paragraph(text, style(kind))]


def _pairs(title: str, pairs: Sequence[tuple[str, str]], kind: str = "text") -> list[Any]:
    if not pairs:
        return []
    text = "<br/>".join(f"<b>{escape(name)}</b>: {escape(value)}" for name, value in pairs)
    return [Paragraph(title, style("heading")), Paragraph(text, style(kind))]


def _table(report: Report) -> list[Any]:
    """Give the table with its notes, where there is anything in it."""
    rows = report.said.rows
    return [measurement_table(rows, _WIDTH), *_notes(report)] if rows else []


def _notes(report: Report) -> list[Any]:
    """Say what the letters, short names and boxes of the table mean."""
    reasons = "; ".join(f"<b>{letter}</b> {escape(words)}" for letter, words in report.said.reasons)
    rules = "; ".join(f"{escape(rule.words)} [{escape(rule.source)}]" for rule in THRESHOLDS)
    lines = [f"Not measured because: {reasons}."] if reasons else []
    lines += [
        f"In a box: {rules}.",
        SHORT_NAMES,
    ]
    return [Spacer(1, 1.5 * mm), *(Paragraph(line, style("small")) for line in lines)]

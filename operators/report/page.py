"""The report as a PDF of one or two A4 pages: picture, flags, table, limits, origin.

Made with ReportLab in its invariant mode: no time of creation, no random identifier, so the same
content gives the same bytes. The typeface is embedded. The document's own properties name no
patient; only the page does.
"""

from __future__ import annotations

from functools import cache, partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from unicodedata import bidirectional
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from operators.anatomy.colours import STRUCTURE_COLOURS
from operators.anatomy.labels import Structure
from operators.dicom.provenance import RESEARCH_NOTICE
from operators.imaging.fonts import font_file
from operators.report.content import COLUMNS, LIMITS, Cell, Report
from operators.report.flags import THRESHOLDS
from operators.report.identity import IMAGE, PATIENT, PATIENT_ID

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

TITLE: Final = "Spine MR: automatic measurements"

_REGULAR, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
_MARGIN: Final = 12 * mm
_WIDTH: Final = A4[0] - 2 * _MARGIN
_HIGHEST_PICTURE: Final = 100 * mm
_INK, _QUIET, _FLAG, _LINE, _BAND = (
    HexColor(code) for code in ("#16202a", "#5c6b7a", "#b00020", "#c3ccd4", "#eef2f5")
)
_SHORT_NAMES: Final = (
    "wedge: anterior by posterior height; bic: middle by posterior; crush: posterior by that of "
    "the neighbours; slip: + forward, - backward; DHI: disc by body height; canal: behind the "
    "middle of body and disc, cord included, area at the disc; cord: at the disc."
)
_LEVEL_WIDTH: Final = 18 * mm
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
    _register_fonts()
    buffer = BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=18 * mm,
        initialFontName=_REGULAR,
        bottomMargin=15 * mm,
        title=TITLE,
        author="",
        invariant=1,
        pageCompression=1,
        lang="en",
    )
    story = [
        *_identity(report),
        _picture(picture),
        _paragraph(_legend(), _style("legend")),
        *_list("To look at first", report.findings or ("No value beyond a threshold below.",)),
        *_list("To check", report.doubts),
        _table(report),
        *_notes(report),
        KeepTogether(_pairs("Curves", report.curves)),
        *_list("Limits", LIMITS),
        KeepTogether(_pairs("Origin", report.origin)),
    ]
    document.build(story, canvasmaker=partial(_Pages, report=report))
    return buffer.getvalue()


def shown(text: str) -> str:
    """Text as it can be written: a name in another script than the typeface's is only pointed at.

    Parameters
    ----------
    text : str
        Of the header.

    Returns
    -------
    str
        The same where the typeface has every letter and it runs from left to right.
    """
    glyphs = _register_fonts()
    if all(ord(letter) in glyphs and bidirectional(letter) not in {"R", "AL"} for letter in text):
        return text
    return "not in this typeface: see the DICOM header"


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
        self.setFillColor(_INK)
        self.setFont(_BOLD, 13)
        self.drawString(_MARGIN, height - 14 * mm, TITLE)
        self.setFont(_REGULAR, 8)
        self.setFillColor(_QUIET)
        # Whose page it is must be on every one of them: sheets get apart.
        whose = ", ".join(
            shown(value) for label, value in self._report.identity if label in _ON_EVERY_PAGE
        )
        self.drawRightString(right, height - 13 * mm, whose if number > 1 else "")
        self.drawRightString(right, 8 * mm, f"page {number} of {count}")
        self.setStrokeColor(_LINE)
        self.line(_MARGIN, 12 * mm, right, 12 * mm)
        if self._report.is_research_only:
            self.setFont(_BOLD, 8)
            self.setFillColor(_FLAG)
            self.drawString(_MARGIN, 8 * mm, RESEARCH_NOTICE.capitalize())


_ON_EVERY_PAGE: Final = (PATIENT, PATIENT_ID, IMAGE)


@cache
def _register_fonts() -> Container[int]:
    """Make both faces known; gives the code points that they can write."""
    regular = TTFont(_REGULAR, str(font_file()))
    registerFont(regular)
    registerFont(TTFont(_BOLD, str(font_file(bold=True))))
    registerFontFamily(_REGULAR, normal=_REGULAR, bold=_BOLD, italic=_REGULAR, boldItalic=_BOLD)
    glyphs: Container[int] = regular.face.charToGlyph
    return glyphs


@cache
def _style(name: str) -> ParagraphStyle:
    """Style of a kind of text."""
    size, leading, before, colour, is_bold = {
        "text": (7.5, 9.6, 0, _INK, False),
        "small": (6.4, 8.2, 0, _QUIET, False),
        "legend": (7, 9, 3, _QUIET, False),
        "heading": (9, 12, 6, _INK, True),
    }[name]
    return ParagraphStyle(
        name,
        fontName=_BOLD if is_bold else _REGULAR,
        fontSize=size,
        leading=leading,
        spaceBefore=before,
        textColor=colour,
        keepWithNext=name == "heading",
    )


def _paragraph(markup: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(markup, style)


def _identity(report: Report) -> list[Any]:
    """Whose images these are, side by side."""
    if not report.identity:
        return []
    cells = [
        _paragraph(
            f'<font color="#5c6b7a" size="6.4">{escape(label)}</font><br/>{escape(shown(value)) or "-"}',
            _style("text"),
        )
        for label, value in report.identity
    ]
    table = Table([cells], colWidths=[_WIDTH / len(cells)] * len(cells))
    table.setStyle([("BOX", (0, 0), (-1, -1), 0.5, _LINE), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return [table, Spacer(1, 3 * mm)]


def _picture(picture: bytes) -> Image:
    shown = Image(BytesIO(picture))
    scale = min(_WIDTH / shown.imageWidth, _HIGHEST_PICTURE / shown.imageHeight)
    shown.drawWidth, shown.drawHeight = shown.imageWidth * scale, shown.imageHeight * scale
    return shown


def _legend() -> str:
    marks = []
    for name, structure in _LEGEND:
        red, green, blue = STRUCTURE_COLOURS[structure]
        marks.append(f'<font color="#{red:02x}{green:02x}{blue:02x}">■</font> {name}')
    return " &nbsp; ".join(marks)


def _list(title: str, lines: Sequence[str]) -> list[Any]:
    if not lines:
        return []
    text = "<br/>".join(f"• {escape(line)}" for line in lines)
    return [_paragraph(title, _style("heading")), _paragraph(text, _style("text"))]


def _pairs(title: str, pairs: Sequence[tuple[str, str]]) -> list[Any]:
    if not pairs:
        return []
    text = "<br/>".join(f"<b>{escape(name)}</b>: {escape(value)}" for name, value in pairs)
    return [_paragraph(title, _style("heading")), _paragraph(text, _style("text"))]


def _table(report: Report) -> Table:
    heads = ["Level (no.)", *(f"{group}" for group, columns in COLUMNS for _ in columns)]
    names = ["", *(name for _, columns in COLUMNS for name, _, _ in columns)]
    rows = [[level, *(cell.text for cell in cells)] for level, cells in report.rows]
    width = (_WIDTH - _LEVEL_WIDTH) / (len(names) - 1)
    table = Table(
        [heads, names, *rows],
        colWidths=[_LEVEL_WIDTH, *[width] * (len(names) - 1)],
        rowHeights=[4.6 * mm] * 2 + [4.3 * mm] * len(rows),
        repeatRows=2,
        spaceBefore=8,
    )
    table.setStyle([*_table_style(), *_cell_styles([cells for _, cells in report.rows])])
    return table


def _table_style() -> list[tuple[Any, ...]]:
    style: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), _REGULAR, 6.6),
        ("FONT", (0, 0), (-1, 0), _BOLD, 6.2),
        ("FONT", (0, 2), (0, -1), _BOLD, 6.6),
        ("TEXTCOLOR", (0, 0), (-1, -1), _INK),
        ("TEXTCOLOR", (0, 1), (-1, 1), _QUIET),
        ("ALIGN", (1, 0), (-1, -1), "CENTER"),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LEFTPADDING", (0, 0), (-1, -1), 1),
        ("RIGHTPADDING", (0, 0), (-1, -1), 1),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
        ("LINEBELOW", (0, 1), (-1, 1), 0.6, _INK),
        ("ROWBACKGROUNDS", (0, 2), (-1, -1), (None, _BAND)),
    ]
    first = 1
    for _, columns in COLUMNS:
        last = first + len(columns) - 1
        style += [
            ("SPAN", (first, 0), (last, 0)),
            ("LINEBEFORE", (first, 0), (first, -1), 0.4, _LINE),
        ]
        first = last + 1
    return style


def _cell_styles(rows: Sequence[Sequence[Cell]]) -> list[tuple[Any, ...]]:
    styles: list[tuple[Any, ...]] = []
    for down, cells in enumerate(rows, 2):
        for across, cell in enumerate(cells, 1):
            place = (across, down)
            if cell.is_flagged:
                styles += [
                    ("FONT", place, place, _BOLD, 6.8),
                    ("TEXTCOLOR", place, place, _FLAG),
                    ("BOX", place, place, 0.8, _FLAG),
                ]
            elif cell.is_reason:
                styles.append(("TEXTCOLOR", place, place, _QUIET))
    return styles


def _notes(report: Report) -> list[Any]:
    """Say what the letters, short names and boxes of the table mean."""
    reasons = "; ".join(f"<b>{letter}</b> {escape(words)}" for letter, words in report.reasons)
    rules = "; ".join(f"{escape(rule.words)} [{escape(rule.source)}]" for rule in THRESHOLDS)
    lines = [f"Not measured because: {reasons}."] if reasons else []
    lines += [
        f"In a box: {rules}.",
        _SHORT_NAMES,
    ]
    return [Spacer(1, 1.5 * mm), *(_paragraph(line, _style("small")) for line in lines)]

"""How pages look: typefaces, colours, styles of text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from unicodedata import bidirectional

from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont

from operators.imaging.fonts import font_file

if TYPE_CHECKING:
    from collections.abc import Container

REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
INK, QUIET, FLAG, LINE, BAND = (
    HexColor(code) for code in ("#16202a", "#5c6b7a", "#b00020", "#c3ccd4", "#eef2f5")
)


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
    glyphs = register_fonts()
    if all(ord(letter) in glyphs and bidirectional(letter) not in {"R", "AL"} for letter in text):
        return text
    return "not in this typeface: see the DICOM header"


@cache
def register_fonts() -> Container[int]:
    """Make both faces known; gives the code points that they can write."""
    rl_config.useA85 = 0  # streams as bytes, not as text: a third of the time, a fifth less to keep
    regular = TTFont(REGULAR, str(font_file()))
    registerFont(regular)
    registerFont(TTFont(BOLD, str(font_file(bold=True))))
    registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    glyphs: Container[int] = regular.face.charToGlyph
    return glyphs


@cache
def style(name: str) -> ParagraphStyle:
    """Style of a kind of text: ``text``, ``small``, ``legend``, ``heading``."""
    size, leading, before, colour, is_bold = {
        "text": (7.5, 9.6, 0, INK, False),
        "small": (6.4, 8.2, 0, QUIET, False),
        "legend": (7, 9, 3, QUIET, False),
        "heading": (9, 12, 6, INK, True),
    }[name]
    return ParagraphStyle(
        name,
        fontName=BOLD if is_bold else REGULAR,
        fontSize=size,
        leading=leading,
        spaceBefore=before,
        textColor=colour,
        keepWithNext=name == "heading",
    )

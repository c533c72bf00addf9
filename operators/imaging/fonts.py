"""The one typeface of pictures and pages: DejaVu Sans, as it comes with matplotlib.

Latin, Greek and Cyrillic letters with all their accents; no ideographs. The same files on every
machine, so that pictures and pages are the same bytes. Licence: Bitstream Vera, free to embed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import get_data_path
from PIL import ImageFont

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont


def font_file(*, bold: bool = False) -> Path:
    """Path of the TrueType file."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(get_data_path()) / "fonts" / "ttf" / name


@cache
def font(size_px: float, *, bold: bool = False) -> FreeTypeFont:
    """Face of a height in pixels, laid out the same with every build of Pillow."""
    return ImageFont.truetype(font_file(bold=bold), size_px, layout_engine=ImageFont.Layout.BASIC)

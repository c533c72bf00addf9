"""Pictures of a cohort's report: distributions, and overlays small enough for one page."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_COLUMNS: Final = 3
_DPI: Final = 90
_BINS: Final = 20
_COLOUR: Final = "#0072b2"
_WIDTH_PX: Final = 420
_QUALITY: Final = 80


def distributions(values: Mapping[str, Sequence[float]]) -> str:
    """Draw a histogram of each figure.

    Parameters
    ----------
    values : mapping of str to sequence of float
        Title with unit to a value per result; empty ones are left out.

    Returns
    -------
    str
        ``data:`` URL of a PNG; empty where there is nothing to draw.
    """
    shown = {title: list(found) for title, found in values.items() if found}
    if not shown:
        return ""
    rows = -(-len(shown) // _COLUMNS)
    figure = Figure(figsize=(3.6 * _COLUMNS, 2.2 * rows), layout="constrained")
    for number, (title, found) in enumerate(shown.items(), start=1):
        axes = figure.add_subplot(rows, _COLUMNS, number)
        axes.hist(found, bins=min(_BINS, max(1, len(set(found)))), color=_COLOUR)
        axes.set_title(title, fontsize=9)
        axes.tick_params(labelsize=8)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return _url("png", buffer.getvalue())


def thumbnail(picture: Path) -> str:
    """Make an overlay small.

    Parameters
    ----------
    picture : Path
        PNG.

    Returns
    -------
    str
        ``data:`` URL of a JPEG; empty where the picture cannot be read.
    """
    buffer = BytesIO()
    try:
        with Image.open(picture) as image:
            small = image.convert("RGB")
            small.thumbnail((_WIDTH_PX, 2 * _WIDTH_PX))
            small.save(buffer, format="jpeg", quality=_QUALITY)
    except OSError:
        return ""
    return _url("jpeg", buffer.getvalue())


def _url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{b64encode(content).decode('ascii')}"

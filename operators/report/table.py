"""The table of a report: levels down, measures across, flagged values in boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reportlab.lib.units import mm
from reportlab.platypus import Table

from operators.report.look import BAND, BOLD, FLAG, INK, LINE, QUIET, REGULAR
from operators.report.words import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.report.content import Cell

_LEVEL_WIDTH: Final = 18 * mm


def measurement_table(rows: Sequence[tuple[str, Sequence[Cell]]], width: float) -> Table:
    """Lay out one row per vertebra with the disc below it.

    Parameters
    ----------
    rows : sequence of (str, sequence of Cell)
        As in `operators.report.content.Said`.
    width : float
        Of the table, points.

    Returns
    -------
    Table
        Its head is repeated on every page.
    """
    heads = ["Level (no.)", *(f"{group}" for group, columns in COLUMNS for _ in columns)]
    names = ["", *(name for _, columns in COLUMNS for name, _, _ in columns)]
    texts = [[level, *(cell.text for cell in cells)] for level, cells in rows]
    column = (width - _LEVEL_WIDTH) / (len(names) - 1)
    table = Table(
        [heads, names, *texts],
        colWidths=[_LEVEL_WIDTH, *[column] * (len(names) - 1)],
        rowHeights=[4.6 * mm] * 2 + [4.3 * mm] * len(rows),
        repeatRows=2,
        spaceBefore=8,
    )
    table.setStyle([*_tablestyle(), *_cell_styles([cells for _, cells in rows])])
    return table


def _tablestyle() -> list[tuple[Any, ...]]:
    style: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), REGULAR, 6.6),
        ("FONT", (0, 0), (-1, 0), BOLD, 6.2),
        ("FONT", (0, 2), (0, -1), BOLD, 6.6),
        ("TEXTCOLOR", (0, 0), (-1, -1), INK),
        ("TEXTCOLOR", (0, 1), (-1, 1), QUIET),
        ("ALIGN", (1, 0), (-1, -1), "CENTER"),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LEFTPADDING", (0, 0), (-1, -1), 1),
        ("RIGHTPADDING", (0, 0), (-1, -1), 1),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
        ("LINEBELOW", (0, 1), (-1, 1), 0.6, INK),
        ("ROWBACKGROUNDS", (0, 2), (-1, -1), (None, BAND)),
    ]
    first = 1
    for _, columns in COLUMNS:
        last = first + len(columns) - 1
        style += [
            ("SPAN", (first, 0), (last, 0)),
            ("LINEBEFORE", (first, 0), (first, -1), 0.4, LINE),
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
                    ("FONT", place, place, BOLD, 6.8),
                    ("TEXTCOLOR", place, place, FLAG),
                    ("BOX", place, place, 0.8, FLAG),
                ]
            elif cell.is_reason:
                styles.append(("TEXTCOLOR", place, place, QUIET))
    return styles

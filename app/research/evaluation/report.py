"""The readable report: one HTML file with everything inside it, tables, pictures, definitions.

And the tables as plain text, for a terminal.
"""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from app import __version__
from app.research.evaluation.metrics import METRICS, shown_in
from app.research.evaluation.plots import spread_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.research.evaluation.cohort import MethodScores
    from app.research.evaluation.tables import Table

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;
       padding: 0 1rem; color: #1b1b1b; background: #fff }
table { border-collapse: collapse; font-size: 13px }
.wide { overflow-x: auto }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: left;
         white-space: nowrap }
th { background: #f3f5f7 }
img { max-width: 100% }
.note { color: #555; font-size: 13px; max-width: 60rem }
.warning { background: #fff3cd; padding: .5rem .8rem; border-left: 4px solid #d39e00 }
"""

CAPTIONS: dict[str, str] = {
    **{
        spread_of(one): f"{one.title} of each structure in the whole image; a point is a case."
        for one in shown_in("structure")
    },
    "recognition": "Recognition, segmentation and panoptic quality, means over cases.",
    "levels": "DSC of matched vertebrae by level; unfilled: missed in at least one case; "
    "a cross below: missed in all.",
}

_INTERVAL = re.compile(r" \[[^\]]*\]")

_UNIT_OF_STATISTICS = """
<p>The case is the unit: means, standard deviations (n - 1), percentile bootstrap intervals (95 %,
9999 draws of cases) and the Wilcoxon signed-rank test use one value per case. Endplates count as
one structure whether split or not; the inside of a body belongs to the body. What no reference of
the data set contains isn't scored.</p>
"""


def _definitions() -> str:
    rows = (f"<dt>{escape(one.heading)}</dt><dd>{escape(one.definition)}</dd>" for one in METRICS)
    return "<dl>\n" + "\n".join(rows) + "\n</dl>" + _UNIT_OF_STATISTICS


def render_report(
    methods: Sequence[MethodScores], tables: Sequence[Table], pictures: Mapping[str, bytes]
) -> str:
    """Put the report together.

    Parameters
    ----------
    methods : sequence of MethodScores
        Only for what was left out.
    tables : sequence of Table
        In order.
    pictures : mapping
        Name to PNG, embedded.

    Returns
    -------
    str
        HTML without links to anything outside it.
    """
    names = " and ".join(escape(m.name) for m in methods)
    body = [
        f"<h1>Evaluation of {names}</h1>",
        f"<p>Research use only, not for diagnosis. Made by SPINEPS Node {__version__}.</p>",
        *(_left_out(method) for method in methods),
        *(_table(table) for table in tables),
        *(_picture(name, png) for name, png in pictures.items()),
        "<h2>Definitions</h2>",
        _definitions(),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Evaluation of {names}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def as_text(table: Table) -> str:
    """Lay a table out for a terminal: aligned columns, without the intervals.

    Parameters
    ----------
    table : Table
        From ``tables``.

    Returns
    -------
    str
        Title, header and rows, a line each.
    """
    rows = [[_INTERVAL.sub("", cell) for cell in row] for row in (table.header, *table.rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([table.title, *(f"  {line}" for line in lines)])


def scored_text(method: MethodScores) -> str:
    """Say how many cases count, in one line without the name of a case.

    Parameters
    ----------
    method : MethodScores
        What was scored and what was left out.

    Returns
    -------
    str
        Counts, and the reasons of cases that cannot be compared.
    """
    reasons = sorted({text.split(":", 1)[0] for text in method.refused.values()})
    parts = [
        (len(method.missing), "without a prediction, counted as empty"),
        (len(method.without_reference), "predicted without a reference, not scored"),
        (len(method.refused), f"cannot be compared ({', '.join(reasons)}), not scored"),
    ]
    listed = "".join(f"; {count} {text}" for count, text in parts if count)
    return f"{method.name}: {_cases(len(method.cases))} scored{listed}"


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"


def _left_out(method: MethodScores) -> str:
    lines = [f"<p><b>{escape(method.name)}</b>: {_cases(len(method.cases))} scored.</p>"]
    if not method.levels_known:
        lines.append(
            "<p>The reference numbers its vertebrae from the top: no levels and no regions.</p>"
        )
    for text, cases in (
        ("without a prediction, scored as empty", method.missing),
        ("with a prediction and no reference, not scored", method.without_reference),
        (
            "that cannot be compared, not scored",
            tuple(f"{case} ({reason})" for case, reason in method.refused.items()),
        ),
    ):
        if cases:
            listed = escape("; ".join(cases))
            lines.append(f'<p class="warning">{_cases(len(cases))} {text}: {listed}</p>')
    return "\n".join(lines)


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in table.header)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return (
        f'<h2>{escape(table.title)}</h2>\n<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table></div>\n"
        f'<p class="note">{escape(table.note)}</p>'
    )


def _cell(text: str) -> str:
    """Intervals go on a line of their own: five of them would make the table too wide."""
    return escape(text).replace(" [", "<br>[")


def _picture(name: str, png: bytes) -> str:
    caption = escape(CAPTIONS.get(name, name))
    data = b64encode(png).decode("ascii")
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
        f'<figcaption class="note">{caption}</figcaption></figure>'
    )

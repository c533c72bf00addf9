"""The state diagrams of docs/architecture.md, made of the tables of moves.

``python -m tests.builders.state_diagrams`` writes them anew; a test holds them current.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from app.node.journal.states import DELIVERY_MOVES, JOB_MOVES, SERIES_MOVES, Move

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
TABLES = {"series": SERIES_MOVES, "job": JOB_MOVES, "delivery": DELIVERY_MOVES}
BEGINNINGS = {
    "series": ("receiving",),
    "job": ("waiting",),
    "delivery": ("held", "queued"),
}
"""States in which a row is made."""

_SECTION = re.compile(r"(?<=<!-- states -->\n).*?(?=<!-- /states -->)", re.DOTALL)


def diagrams() -> str:
    """Write one Mermaid diagram per kind."""
    return "".join(_diagram(kind) for kind in TABLES)


def _diagram(kind: str) -> str:
    lines = [f"    [*] --> {state}" for state in BEGINNINGS[kind]]
    arrows: dict[tuple[str, str], list[str]] = {}
    for event, move in TABLES[kind].items():
        for origin in _in_order(move):
            arrows.setdefault((str(origin), str(move.target)), []).append(str(event))
    lines += [
        f"    {origin} --> {target}: {', '.join(events)}"
        for (origin, target), events in sorted(arrows.items())
    ]
    return f"\nA {kind}:\n\n```mermaid\nstateDiagram-v2\n" + "\n".join(lines) + "\n```\n"


def _in_order(move: Move[StrEnum]) -> list[StrEnum]:
    return [state for state in type(move.target) if state in move.origins]


def with_diagrams(page: str) -> str:
    """Put the diagrams into the page's section for them."""
    written, count = _SECTION.subn(lambda _: diagrams() + "\n", page)
    if count != 1:
        raise ValueError("the page has no section for the diagrams")
    return written


if __name__ == "__main__":
    PAGE.write_text(with_diagrams(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

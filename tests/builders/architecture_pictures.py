"""The pictures of docs/architecture.md: the life of a series, and the rooms with their floors.

``python -m tests.builders.architecture_pictures`` writes both as SVG; a test holds them current.
The steps come from `app.steps`, the floors from the import contracts in pyproject.toml.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from app.steps import OPERATORS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "img"
LIFE, ROOMS = "life-of-a-series.svg", "rooms.svg"

INK, PALE = "#1f2933", "#5b6773"
BOLD, SMALL = 'font-weight="600"', f'fill="{PALE}" font-size="12"'
FILLS = {
    "outside": "#eceff2",
    "process": "#f7f9fb",
    "room": "#d6e6f7",
    "step": "#dcefdc",
    "store": "#f9ecc9",
}
LINE = 17


@dataclass(slots=True)
class Sheet:
    """An SVG drawing in the making; units are px, y grows downwards."""

    width: int
    height: int
    parts: list[str] = field(default_factory=list)

    def box(
        self,
        place: tuple[int, int, int, int],
        lines: tuple[str, ...],
        fill: str,
        *,
        top: bool = False,
    ) -> None:
        """Draw a box (x, y, width, height), its first line in bold; `top`: a frame's heading."""
        x, y, width, height = place
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" '
            f'fill="{FILLS[fill]}" stroke="{PALE}"/>'
        )
        if top:
            self.text((x + 20, y + 23), lines[0], BOLD, "start")
            return
        first = y + (height - LINE * len(lines)) // 2 + 13
        for number, line in enumerate(lines):
            self.text((x + width // 2, first + number * LINE), line, SMALL if number else BOLD)

    def text(
        self, place: tuple[int, int], line: str, style: str = "", anchor: str = "middle"
    ) -> None:
        """Write a line about or from a point."""
        x, y = place
        self.parts.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" {style}>{escape(line)}</text>'
        )

    def arrow(self, *points: tuple[int, int]) -> None:
        """Draw a line through points that ends in a tip."""
        path = " ".join(f"{x},{y}" for x, y in points)
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{INK}" stroke-width="1.5" '
            'marker-end="url(#tip)"/>'
        )

    def svg(self) -> str:
        """Give the drawing as a document that needs nothing else."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" font-family="Helvetica, Arial, '
            f'sans-serif" font-size="14" fill="{INK}">\n'
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            f'markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{INK}"/></marker>'
            "</defs>\n"
            f'<rect width="{self.width}" height="{self.height}" fill="#ffffff"/>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


def life_of_a_series() -> str:
    """Draw processes, rooms and the way of a series through them."""
    sheet = Sheet(1120, 640)
    sheet.box((15, 95, 140, 60), ("scanner, PACS",), "outside")
    sheet.box((15, 480, 140, 60), ("PACS, archive",), "outside")
    sheet.box((15, 575, 140, 50), ("people", "and programs"), "outside")

    sheet.box((225, 15, 320, 215), ("listener process",), "process", top=True)
    sheet.box((245, 50, 280, 46), ("listener", "acknowledged = on the disk"), "room")
    sheet.box((245, 112, 280, 46), ("archive", "every object, byte for byte"), "store")
    sheet.box((245, 174, 280, 42), ("journal", "what is known, in SQL"), "store")
    sheet.arrow((155, 118), (195, 118), (195, 73), (243, 73))
    sheet.text((189, 60), "C-STORE", SMALL)
    sheet.arrow((385, 96), (385, 111))
    sheet.arrow((385, 158), (385, 173))

    sheet.box((225, 255, 320, 300), ("worker process",), "process", top=True)
    sheet.box((245, 290, 280, 56), ("intake", "complete? ours? -> a job"), "room")
    sheet.box((245, 370, 280, 56), ("work", "durable workflows of DBOS"), "room")
    sheet.box((245, 450, 132, 90), ("peers", "C-STORE,", "STOW-RS, C-FIND"), "room")
    sheet.box((393, 450, 132, 90), ("delivery", "released, routed,", "found there?"), "room")
    sheet.arrow((385, 216), (385, 289))
    sheet.arrow((385, 346), (385, 369))
    sheet.arrow((459, 426), (459, 449))
    sheet.arrow((393, 495), (379, 495))
    sheet.arrow((245, 510), (157, 510))

    names = [step.name for step in OPERATORS]
    height = 34
    sheet.box(
        (640, 15, 465, 65 + len(names) * (height + 10) + 30),
        ("inference process (networks stay loaded)",),
        "process",
        top=True,
    )
    for number, step in enumerate(OPERATORS):
        y = 50 + number * (height + 10)
        sheet.box((660, y, 190, height), (step.name,), "step")
        sheet.text((862, y + 22), step.words, SMALL, "start")
        if number:
            sheet.arrow((755, y - 10), (755, y - 1))
    last = 50 + len(names) * (height + 10)
    sheet.box((660, last + 10, 425, 40), ("SEG x 2, SR, (PDF, picture) -> archive",), "store")
    sheet.arrow((755, last - 10), (755, last + 8))
    sheet.arrow((525, 388), (600, 388), (600, 67), (658, 67))
    sheet.text((606, 300), "a job", SMALL, "start")
    sheet.arrow((660, last + 30), (575, last + 30), (575, 408), (527, 408))
    sheet.text((581, 470), "results", SMALL, "start")

    sheet.box(
        (225, 575, 880, 50),
        (
            "web process: web, people, alerts, telemetry",
            "page, API, probes, metrics, mail; reads the journal and asks for actions through it",
        ),
        "process",
    )
    sheet.arrow((155, 600), (223, 600))
    return sheet.svg()


def _floors(contracts: list[dict], name: str) -> list[list[str]]:
    (contract,) = (one for one in contracts if one["id"] == name)
    return [layer.replace(":", "|").split(" | ") for layer in contract["layers"]]


def rooms() -> str:
    """Draw the floors of the import contracts: what stands higher may import what stands lower."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    sheet = Sheet(1120, 610)
    columns = (
        ("app", "app-floors", 15, "room"),
        ("app.node", "node-floors", 385, "room"),
        ("operators", "pipeline-floors", 755, "step"),
    )
    width = 350
    for title, contract, x, fill in columns:
        a_line = 2 if contract == "pipeline-floors" else 5
        floors = _floors(contracts, contract)
        sheet.text((x + width // 2, 30), title, 'font-weight="600" font-size="17"')
        y = 45
        for floor in floors:
            lines = [", ".join(floor[n : n + a_line]) for n in range(0, len(floor), a_line)]
            height = 24 + LINE * len(lines)
            sheet.box((x, y, width, height), (), fill)
            for number, line in enumerate(lines):
                sheet.text((x + width // 2, y + 24 + number * LINE), line)
            y += height + 8
    sheet.text(
        (560, 565),
        "Imports go downwards within a column, from app to operators, and never back. "
        "spine_node stands on top of both: the public Python front.",
    )
    sheet.text(
        (560, 587),
        "Rooms on one floor do not know each other unless the contract says so. "
        "import-linter holds this (make check).",
        SMALL,
    )
    return sheet.svg()


PICTURES = {LIFE: life_of_a_series, ROOMS: rooms}
"""File name -> what draws it."""


if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")

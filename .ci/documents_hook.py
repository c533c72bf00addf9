"""What pages have as GitHub shows them, as the built documents have it."""

from __future__ import annotations

import re

_OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:ATTRIBUTION\.md|CITATION\.cff)\)")
_DIAGRAM = re.compile(r"```mermaid\nstateDiagram-v2\n(.*?)```\n", re.DOTALL)
_MOVE = re.compile(r"\s*(\S+) --> (\w+)(?:: (.*))?")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Point at the documents' own pictures; name outside files; write diagrams as tables."""
    linked = _OUTSIDE.sub(r"\1", markdown.replace("](../../.github/img/", "](../img/"))
    return _DIAGRAM.sub(_as_table, linked)


def _as_table(diagram: re.Match[str]) -> str:
    """Rows of a state diagram: GitHub draws Mermaid, this theme does not."""
    rows = ["| in state | by | to |", "|---|---|---|"]
    for line in diagram.group(1).splitlines():
        if move := _MOVE.fullmatch(line):
            origin, target, events = move.groups(default="")
            rows.append(f"| {'' if origin == '[*]' else origin} | {events} | {target} |")
    return "\n".join(rows) + "\n"

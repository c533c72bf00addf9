"""Modules that no test of their own mirrors: ``python -m tests.builders.untested_modules``.

A module ``app/run/record.py`` is mirrored by ``tests/unit/app/run/test_record.py``. Others are
tested from outside, by another module's test or an integration test; this only names them.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "operators", "spine_node")


def untested_modules() -> list[tuple[str, int]]:
    """Path and lines of each, the longest first."""
    found = []
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            place = file.relative_to(ROOT)
            mirror = ROOT / "tests" / "unit" / place.parent / f"test_{file.name}"
            if not file.name.startswith("__") and not mirror.exists():
                found.append((place.as_posix(), len(file.read_text("utf-8").splitlines())))
    return sorted(found, key=lambda one: (-one[1], one[0]))


if __name__ == "__main__":
    found = untested_modules()
    sys.stdout.writelines(f"{lines:4} {place}\n" for place, lines in found)
    sys.stdout.write(f"{len(found)} modules, {sum(lines for _, lines in found)} lines\n")

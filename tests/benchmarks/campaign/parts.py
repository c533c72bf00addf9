"""Parts of a campaign: one family with one seed each, kept as they end, added up over all.

The journal of parts is a folder with one small JSON file per part. A part that was broken off has
no file and is run again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.campaign.judging import Findings

LONGEST_PART_S: Final = 45 * 60.0


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one part did. `date`: of its end; `wrong`: kind -> details."""

    family: str
    seed: int
    date: str
    seconds: float
    options: dict[str, int]
    times: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)
    traffic: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Findings, **about: Any) -> Part:
        return cls(
            times=dict(sorted(found.times.items())),
            outcomes={fault: dict(counts) for fault, counts in sorted(found.outcomes.items())},
            traffic=dict(found.traffic),
            wrong=found.wrong,
            **about,
        )

    @property
    def name(self) -> str:
        return f"{self.family}-{self.seed}"


def read_parts(folder: Path) -> list[Part]:
    """All parts that ended, in the order of family and seed."""
    parts = [Part(**json.loads(path.read_text("utf-8"))) for path in folder.glob("*.json")]
    return sorted(parts, key=lambda part: (part.family, part.seed))


def keep_part(folder: Path, part: Part) -> None:
    """Write it down, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{part.name}.part"
    temporary.write_text(json.dumps(asdict(part), indent=1) + "\n", "utf-8")
    temporary.replace(folder / f"{part.name}.json")


@dataclass(frozen=True, kw_only=True)
class Total:
    """All parts of one family."""

    seeds: tuple[int, ...]
    dates: tuple[str, ...]
    seconds: float
    times: Counter[str]
    outcomes: dict[str, Counter[str]]
    traffic: Counter[str]
    wrong: dict[str, list[str]]


def total_of(parts: Iterable[Part]) -> Total:
    """Add up."""
    chosen = list(parts)
    outcomes: dict[str, Counter[str]] = {}
    wrong: dict[str, list[str]] = {}
    times: Counter[str] = Counter()
    traffic: Counter[str] = Counter()
    for part in chosen:
        times.update(part.times)
        traffic.update(part.traffic)
        for fault, counts in part.outcomes.items():
            outcomes.setdefault(fault, Counter()).update(counts)
        for kind, details in part.wrong.items():
            wrong.setdefault(kind, []).extend(details)
    return Total(
        seeds=tuple(sorted(part.seed for part in chosen)),
        dates=tuple(sorted({part.date for part in chosen})),
        seconds=sum(part.seconds for part in chosen),
        times=times,
        outcomes=outcomes,
        traffic=traffic,
        wrong=wrong,
    )


def write_results(parts: Iterable[Part], path: Path) -> None:
    """Parts as the repository keeps them: one line each."""
    lines = [json.dumps(asdict(part), sort_keys=True) for part in parts]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", "utf-8")


def read_results(path: Path) -> list[Part]:
    """What `write_results` wrote."""
    return [Part(**one) for one in json.loads(path.read_text("utf-8"))]

"""Misses and false alarms of the quality gate: ``python -m tests.benchmarks.quality_gate``.

No network takes part in the tables. True masks of synthetic spines under their own images (plain
T2w, seeds from 997000; limits were chosen on 980000 to 988999, 994000 to 994159 and 996000 to
996059) go through the gate:

1. *Clean*: as they are, in stacks of 72 mm without implants, ghosts and folding; and in stacks of
   59 mm with the generator's artefacts, where a curved spine leaves the field and some images fold.
   Every finding is a false alarm, and is told.
2. *Spoiled*: one study per kind and round (`tests.builders.spoiled_results`), and the spines as
   T1w and STIR. A miss is a study without any finding; "held" counts those that are withheld. What
   the rules would find in masks that a network gets wrong in its own way is not told by this.
3. *Beside them*, not counted above: the training's own spread of contrasts, in which some are
   unlike any T2w protocol; and the generator's implants, thinner than what metal blanks.
4. With ``--networks FOLDER``: what networks answer (`tests.benchmarks.gate_networks`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from operators.spine.quality.assess import assess
from operators.spine.quality.evidence import Evidence
from operators.spine.quality.findings import Outcome, Quality
from tests.benchmarks import gate_networks
from tests.benchmarks.gate_spines import spine
from tests.builders.spoiled_results import IMAGE_SPOILERS, MASK_SPOILERS, Result, Spoiler

FIRST_SEED = 997_000
MOST_MISSED, MOST_FALSE = 0.02, 0.03


class Tally:
    """Outcomes and rules of some studies."""

    def __init__(self) -> None:
        self.studies = 0
        self.outcomes: Counter[Outcome] = Counter()
        self.rules: Counter[str] = Counter()
        self.seconds: list[float] = []

    def add(self, result: Result) -> Quality:
        """Judge one."""
        start = time.process_time()
        quality = assess(Evidence.of(result.semantic, result.instances, result.volume))
        self.seconds.append(time.process_time() - start)
        self.studies += 1
        self.outcomes[quality.outcome] += 1
        self.rules.update(finding.rule for finding in quality.findings)
        return quality

    @property
    def released(self) -> int:
        """Studies without any finding."""
        return self.outcomes[Outcome.RELEASE]

    def line(self, name: str) -> str:
        """One row of a table."""
        told = ", ".join(f"{rule} {n}" for rule, n in self.rules.most_common())
        held = self.outcomes[Outcome.WITHHOLD]
        return f"{name:32s} {self.studies:4d} {self.released:8d} {held:6d}  {told}"


def spoilers() -> dict[str, Spoiler]:
    """All kinds that are made from a correct result."""
    return {**MASK_SPOILERS, **IMAGE_SPOILERS}


def rounds_of(first: int, count: int, *, hard: bool = False) -> Iterator[tuple[int, Result]]:
    """Clean spines, told on standard error."""
    for seed in range(first, first + count):
        yield seed, spine(seed, hard=hard)
        sys.stderr.write(f"{seed} ")
        sys.stderr.flush()


def spoiled(first: int, rounds: int) -> dict[str, Tally]:
    """Every kind once per round, each round on a spine of its own."""
    tallies = {kind: Tally() for kind in (*spoilers(), "T1-weighted", "STIR")}
    for seed, clean in rounds_of(first, rounds):
        rng = np.random.default_rng(seed)
        for kind, spoil in spoilers().items():
            result = spoil(clean, rng)
            if result is not None:
                tallies[kind].add(result)
        tallies["T1-weighted"].add(spine(seed, "t1"))
        tallies["STIR"].add(spine(seed, "stir"))
    return tallies


def write(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


HEAD = f"{'studies':32s} {'n':>4s} {'released':>8s} {'held':>6s}  rules broken"


def false_alarms(count: int) -> Iterator[tuple[str, Tally]]:
    """Clean studies, wide and narrow."""
    for rank, name in enumerate(("clean", "narrow stacks, artefacts")):
        tally = Tally()
        for seed, result in rounds_of(FIRST_SEED + 100 * rank, count, hard=bool(rank)):
            write(f"{seed} {sentence}" for sentence in tally.add(result).sentences)
        yield name, tally


def told(what: str, share: float, most: float) -> str:
    """One figure beside what is to be reached."""
    return f"{what} {share:.1%}{'' if share <= most else '  MISSED'}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clean", type=int, default=60, help="clean studies, wide and narrow each")
    parser.add_argument("--rounds", type=int, default=3, help="spoiled studies per kind")
    parser.add_argument("--beside", type=int, default=12, help="studies of table 3, per row")
    parser.add_argument("--networks", type=Path, metavar="FOLDER", help="table 4, kept here")
    parser.add_argument("--each", type=int, default=4, help="synthetic studies of table 4, per row")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    shares, tallies = [], []
    for name, tally in false_alarms(arguments.clean):
        tallies.append(tally)
        shares.append((tally.studies - tally.released) / max(tally.studies, 1))
        write(["", HEAD, tally.line(name), told("false alarms", shares[-1], MOST_FALSE), ""])
    kinds = spoiled(FIRST_SEED + 200, arguments.rounds)
    count = sum(tally.studies for tally in kinds.values())
    missed = sum(tally.released for tally in kinds.values()) / max(count, 1)
    write([HEAD, *(tally.line(kind) for kind, tally in kinds.items())])
    write([told(f"spoiled {count}, misses", missed, MOST_MISSED)])
    seconds = [s for tally in (*tallies, *kinds.values()) for s in tally.seconds]
    if seconds:
        write([f"processor time: median {np.median(seconds):.2f} s, longest {max(seconds):.2f} s"])
    beside: dict[str, Callable[[int], Result]] = {
        "the training's spread": lambda seed: spine(seed, "t2", hard=True),
        "thin implants": lambda seed: spine(seed, implants=True),
    }
    for name, make in beside.items():
        tally = Tally()
        for seed in range(FIRST_SEED + 300, FIRST_SEED + 300 + arguments.beside):
            tally.add(make(seed))
        write([tally.line(name)])
    if arguments.networks:
        write(gate_networks.run(arguments.networks, arguments.each, trained=False))
    return 0 if max(shares) <= MOST_FALSE and missed <= MOST_MISSED else 1


if __name__ == "__main__":
    sys.exit(main())

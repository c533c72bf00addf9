"""The numbers of `operators.spine.levels.tables`, measured on synthetic spines.

Run: ``python -m tests.benchmarks.level_tables [--spines N] [--maps DIR]``. Prints the means and the
spreads of every figure of `operators.spine.levels.figures` level by level, over true maps of whole
spines (seeds from 970000: no other benchmark and no training uses them), as that module states
them. T13 and L6 get the numbers of T12 and L5, as the generator draws them.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from operators.anatomy.vertebrae import CRANIAL_TO_CAUDAL, LEVEL_NAMES
from operators.spine.levels.measures import measure_spine
from operators.spine.levels.tables import FEATURES
from tests.benchmarks.whole_spines import FIT_SEED, MOST_SLICES, cut_sides, whole_spine

LEAST_SLICES = 14
"""Fields of 50 mm and more across: narrower ones show no transverse process at all."""
PASSES = 3
EXTRA = {28: 19, 25: 24}

Rows = dict[int, list[tuple[int, dict[str, float]]]]


def rows_of(spines: int, folder: Path | None) -> Rows:
    """Figures of every vertebra of every spine, by seed."""
    rows: Rows = {}
    for seed in range(FIT_SEED, FIT_SEED + spines):
        wanted = int(np.random.default_rng(seed).integers(LEAST_SLICES, MOST_SLICES + 1))
        measured = measure_spine(*cut_sides(*whole_spine(seed, folder), wanted))
        rows[seed] = [(v.vertebra, v.figures) for v in measured.vertebrae]
    return rows


def means_and_spreads(rows: Rows, name: str) -> tuple[dict[int, float], dict[str, float]]:
    """Mean by level; spread by region (C, T, L) and of the person (P)."""
    samples = [
        (seed, EXTRA.get(level, level), figures[name])
        for seed, row in rows.items()
        for level, figures in row
        if name in figures
    ]
    persons: dict[int, float] = defaultdict(float)
    for _ in range(PASSES):
        by_level, by_person = defaultdict(list), defaultdict(list)
        for seed, level, value in samples:
            by_level[level].append(value - persons[seed])
        means = {level: float(np.median(values)) for level, values in by_level.items()}
        for seed, level, value in samples:
            by_person[seed].append(value - means[level])
        persons.update({seed: float(np.median(values)) for seed, values in by_person.items()})
    rests = defaultdict(list)
    for seed, level, value in samples:
        rests[LEVEL_NAMES[level][0]].append(value - means[level] - persons[seed])
    spreads = {region: float(np.std(values)) for region, values in rests.items()}
    spreads["P"] = float(np.std([persons[seed] for seed in by_person]))
    return means, spreads


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spines", type=int, default=51)
    parser.add_argument("--maps", type=Path, help="folder in which whole spines are kept")
    arguments = parser.parse_args()
    rows = rows_of(arguments.spines, arguments.maps)
    tables = [means_and_spreads(rows, name) for name in FEATURES]
    for level in CRANIAL_TO_CAUDAL:
        if level in EXTRA or level not in tables[0][0]:
            continue
        cells = [f"{means[level]:.2f}" if level in means else "-" for means, _ in tables]
        sys.stdout.write(" ".join([LEVEL_NAMES[level], *cells]) + "\n")
    for region in "CTLP":
        cells = [f"{s[region]:.3f}" if region in s else "-" for _, s in tables]
        sys.stdout.write(" ".join([region, *cells]) + "\n")


if __name__ == "__main__":
    main()

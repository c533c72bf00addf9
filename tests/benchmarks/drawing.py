"""How long does a training sample take to draw? ``python -m tests.benchmarks.drawing``.

Makes two synthetic spines on the preset's grid and draws the same samples with every number of
threads: wall time and processor time per tile and per cut-out. Where the first falls with the
number of threads and the second doesn't rise, the threads work side by side. A network that takes
less than the wall time times its batch for a step waits for its samples.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from app.research.training.augmentation import Tile, draw_tile
from app.research.training.cases import make_case
from app.research.training.cutout_drawing import CutoutSample, draw_cutout
from app.research.training.drawing_ahead import DrawnAhead
from app.research.training.presets import INSTANCE_PRESETS, SEMANTIC_PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable

    Drawn = Tile | CutoutSample | None

SEEDS = (3, 4)


def digest(samples: list[Drawn]) -> str:
    """Name of the samples' bytes."""
    name = hashlib.sha256()
    for sample in samples:
        if isinstance(sample, Tile):
            name.update(sample.image.tobytes() + sample.codes.tobytes())
        elif sample is not None:
            name.update(sample.classes.tobytes() + sample.target.tobytes())
    return name.hexdigest()[:12]


def measure(
    sample: Callable[[int], Drawn], count: int, batch: int, threads: int
) -> tuple[float, float, str]:
    """Seconds and processor seconds per sample, and the digest of all."""
    drawn: list[Drawn] = []
    begun, worked = time.perf_counter(), time.process_time()
    with DrawnAhead(sample, 0, batch, threads) as ahead:
        for _ in range(count // batch):
            ahead.allow(count // batch - 1)
            drawn += ahead.take()
    wall, work = time.perf_counter() - begun, time.process_time() - worked
    return wall / len(drawn), work / len(drawn), digest(drawn)


def main() -> int:
    """Print a line per kind of sample and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=SEMANTIC_PRESETS, default="paper")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--samples", type=int, default=12)
    arguments = parser.parse_args()
    semantic = SEMANTIC_PRESETS[arguments.preset]
    instance = INSTANCE_PRESETS[arguments.preset]
    cases = [make_case(seed, semantic.grid.spacing_mm) for seed in SEEDS]

    def tile(number: int) -> Drawn:
        rng = np.random.default_rng([7, number])
        return draw_tile(rng, cases[number % len(cases)], semantic.grid)

    def cutout(number: int) -> Drawn:
        rng = np.random.default_rng([8, number])
        return draw_cutout(rng, cases[number % len(cases)], instance.cutout, instance.spoiling)

    for name, sample, batch in (
        ("tile", tile, semantic.batch),
        ("cut-out", cutout, instance.batch),
    ):
        for threads in arguments.threads:
            wall, work, samples = measure(sample, arguments.samples, batch, threads)
            sys.stdout.write(
                f"{arguments.preset} {name}, {threads} threads: {wall:.3f} s, "
                f"{work:.3f} s of processor time, samples {samples}\n"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

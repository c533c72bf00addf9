"""Misses and false alarms of the quality gate: ``python -m tests.benchmarks.quality_gate``.

No network takes part in the first two tables. True masks of synthetic spines under their own images
(plain T2w, seeds from 988000; limits were chosen on 980000 to 986999) go through the gate:

1. *Clean*: as they are, in stacks of 72 mm without implants, ghosts and folding. Every finding is a
   false alarm, and is told.
2. *Spoiled*: one study per kind and round (`tests.builders.spoiled_results`), and the spines as
   T1w and STIR. A miss is a study without any finding; "held" counts those that are withheld. What
   the rules would find in masks that a network gets wrong in its own way is not told by this.
3. *Beside them*, not counted above: stacks of 59 mm with the generator's artefacts, where a curved
   spine leaves the field and some images fold; the training's own spread of contrasts, in which
   some are unlike any T2w protocol; and the generator's implants, thinner than what metal blanks.
4. With ``--networks N``: the bundled networks on N clean synthetic images, and, where SPINE_SHARED
   is set, on real ones that they never saw (SPIDER's held-out subjects, whose reference masks took
   part in choosing limits; VB1, VB2 and IVD, which took none), in slices of about 4 mm. SPIDER's
   stacks here are slabs of 12 to 27 mm: that they cut the bodies is true.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

import app.research.synthetic.phantom as generator
from app.research.synthetic.acquisition import Scanner
from app.research.synthetic.phantom import PhantomSettings
from operators.imaging.nifti import read_volume
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap, Volume
from operators.networks.instances import load_instance_model
from operators.networks.semantic import load_semantic_model
from operators.spine.quality.assess import assess
from operators.spine.quality.evidence import Evidence
from operators.spine.quality.findings import Outcome, Quality
from tests.benchmarks.accuracy import PIR
from tests.benchmarks.real_volumes import MODELS, find, thick_slices
from tests.benchmarks.spider import HELD_OUT, read
from tests.builders.spoiled_results import IMAGE_SPOILERS, MASK_SPOILERS, Result, Spoiler

FIRST_SEED = 988_000
CENTRES = ("L3", "T7", "C5", "L2")
"""Levels on which the fields are planned, in turn."""
GRIDS = (
    {"slices": 22, "spacing": (3.3, 1.2, 1.2), "in_plane": (208, 144)},
    {"slices": 18, "spacing": (4.0, 0.9, 0.9), "in_plane": (278, 192)},
)
NARROW_MM = 59.0
MOST_MISSED, MOST_FALSE = 0.02, 0.03
THIN_MM = 2.0
IN_PAPERS = ("VB1_03", "VB1_06", "VB1_11", "VB1_15", "VB2_02", "VB2_05", "VB2_09", "VB2_16")
REAL = (*IN_PAPERS, "IVD_11", "IVD_42")


def spine(
    seed: int, weighting: str = "t2_plain", *, implants: bool = False, hard: bool = False
) -> Result:
    """One synthetic spine: true masks and an image; hard: a narrow stack with artefacts."""
    generator.IMPLANTED = float(implants)
    grid = GRIDS[seed // len(CENTRES) % len(GRIDS)]
    if hard:
        grid = grid | {"slices": round(NARROW_MM / grid["spacing"][0])}
    case = generator.generate(
        seed,
        PhantomSettings(
            no_spine=0.0,
            weightings=(weighting,),
            centred_on=CENTRES[seed % len(CENTRES)],
            scanner=Scanner(sub_slices=1, artefacts=float(hard)),
            **grid,
        ),
    )
    return Result(case.semantic, case.instances, case.images[0])


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


def rounds_of(first: int, count: int) -> Iterator[tuple[int, Result]]:
    """Clean spines, told on standard error."""
    for seed in range(first, first + count):
        yield seed, spine(seed)
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


def with_networks(images: Iterator[tuple[str, Volume]]) -> Iterator[tuple[str, str]]:
    """What the gate says of the bundled networks' answers."""
    semantic = load_semantic_model(MODELS / "spine_t2w_compact")
    instance = load_instance_model(MODELS / "vertebra_instance_compact")
    for name, image in images:
        found = find(image, semantic, instance)
        if found.refused:
            yield name, found.refused
            continue
        masks = [LabelMap(labels, image.affine_lps) for labels in (found.semantic, found.instances)]
        quality = assess(Evidence.of(*masks, image))
        rules = ", ".join(f"{f.rule} ({f.places[0]} {f.value:g})" for f in quality.findings)
        yield name, f"{quality.outcome} {rules}"


def images_of(count: int, shared: str | None) -> Iterator[tuple[str, Volume]]:
    """Synthetic images, then real ones."""
    for seed in range(FIRST_SEED + 500, FIRST_SEED + 500 + count):
        yield str(seed), spine(seed).volume
    if not shared or not count:
        return
    data = Path(shared) / "data"
    for subject in HELD_OUT:
        yield f"SPIDER {subject}", read(data / "spider", subject, "thick")[0]
    for name in REAL:
        image = reorient(read_volume(data / "volumes" / f"{name}_img.nii.gz"), PIR)
        yield name, thick_slices(image) if image.spacing_zyx_mm[0] < THIN_MM else image


def write(lines: Iterator[str] | list[str]) -> None:
    """Print lines."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


HEAD = f"{'studies':32s} {'n':>4s} {'released':>8s} {'held':>6s}  rules broken"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clean", type=int, default=60, help="clean studies")
    parser.add_argument("--rounds", type=int, default=3, help="spoiled studies per kind")
    parser.add_argument("--beside", type=int, default=12, help="studies of table 3, per row")
    parser.add_argument("--networks", type=int, default=0, help="synthetic images of table 4")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    clean = Tally()
    for seed, result in rounds_of(FIRST_SEED, arguments.clean):
        quality = clean.add(result)
        write([f"{seed} {sentence}" for sentence in quality.sentences])
    false = (clean.studies - clean.released) / max(clean.studies, 1)
    verdict = "" if false <= MOST_FALSE else "  MISSED"
    write(["", HEAD, clean.line("clean"), f"false alarms {false:.1%}{verdict}", ""])
    kinds = spoiled(FIRST_SEED + 200, arguments.rounds)
    count = sum(tally.studies for tally in kinds.values())
    missed = sum(tally.released for tally in kinds.values()) / max(count, 1)
    verdict = "" if missed <= MOST_MISSED else "  MISSED"
    write(["", HEAD, *(tally.line(kind) for kind, tally in kinds.items())])
    seconds = [s for tally in (clean, *kinds.values()) for s in tally.seconds]
    write([f"spoiled {count}, misses {missed:.1%}{verdict}"])
    write([f"processor time: median {np.median(seconds):.2f} s, longest {max(seconds):.2f} s"])
    beside: dict[str, Callable[[int], Result]] = {
        "narrow stacks, artefacts": lambda seed: spine(seed, hard=True),
        "the training's spread": lambda seed: spine(seed, "t2", hard=True),
        "thin implants": lambda seed: spine(seed, implants=True),
    }
    for name, make in beside.items():
        tally = Tally()
        for seed in range(FIRST_SEED + 300, FIRST_SEED + 300 + arguments.beside):
            tally.add(make(seed))
        write([tally.line(name)])
    for name, told in with_networks(images_of(arguments.networks, os.environ.get("SPINE_SHARED"))):
        write([f"{name:32s} {told}"])
    return 0 if false <= MOST_FALSE and missed <= MOST_MISSED else 1


if __name__ == "__main__":
    sys.exit(main())

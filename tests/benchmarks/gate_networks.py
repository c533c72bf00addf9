"""The quality gate on what networks answer: ``python -m tests.benchmarks.gate_networks FOLDER``.

The bundled pair segments synthetic images (seeds from 995000; no limit was chosen on what networks
answer), plain and spoiled, and, where SPINE_SHARED is set, real ones
(`tests.benchmarks.gate_studies`); the gate judges masks, image and confidence, as the pipeline
does. Each answer is kept in FOLDER: a second run continues, and judges what is there by the rules
of today without running a network.

An answer is *gravely wrong* if the vertebrae in it are not those of the truth, which is known
without any rule of the gate: one that is seen whole is lost (less than a quarter of its body
found), two share a number or one has two (a quarter of the body each), a number stands on the
sacrum, on nothing, or out of order. A *miss* is such an answer that is released without a finding.
Told apart are those that leave with a flag (a reader was warned, if not of that), and answers that
are withheld without being gravely wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import LabelMap, Volume
from operators.networks.instances import InstanceModel, load_instance_model
from operators.networks.semantic import SemanticModel, load_semantic_model
from operators.spine.confidence import Confidence
from operators.spine.quality.assess import assess
from operators.spine.quality.evidence import Evidence
from operators.spine.quality.findings import Outcome, Quality
from tests.benchmarks.gate_studies import BODIES, SOURCES, TRAINED_ON, real, synthetic
from tests.benchmarks.gate_truth import Study, grave_errors
from tests.benchmarks.real_volumes import MODELS, SACRUM, find

FIRST_SEED = 995_000


@dataclass(frozen=True, slots=True)
class Answer:
    """Masks [R, I, P] and certainty of the networks; ``refused``: the code of the error instead."""

    semantic: np.ndarray
    instances: np.ndarray
    certainty: np.ndarray
    refused: str

    @property
    def bodies(self) -> np.ndarray:
        """Numbers on the voxels of bodies."""
        is_body = np.isin(self.semantic, BODIES) & (self.instances < SACRUM)
        return np.where(is_body, self.instances, 0)


class Networks:
    """The bundled pair, loaded when the first answer is needed, and the folder of answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pair: tuple[SemanticModel, InstanceModel] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def answer(self, study: Study) -> Answer:
        """Masks of one study, from the folder or from the networks."""
        path = self.folder / f"{study.name.replace(' ', '_')}.npz"
        try:
            with np.load(path) as kept:
                return Answer(*(kept[key] for key in Answer.__slots__[:3]), str(kept["refused"]))
        except (FileNotFoundError, zipfile.BadZipFile):
            answer = self._segment(study.image)
        np.savez_compressed(path, **{key: getattr(answer, key) for key in Answer.__slots__})
        return answer

    def _segment(self, image: Volume) -> Answer:
        self.pair = self.pair or (
            load_semantic_model(MODELS / "spine_t2w_compact"),
            load_instance_model(MODELS / "vertebra_instance_compact"),
        )
        semantic, instance = self.pair
        first = semantic.segment(image)
        found = find(image, first.labels, instance)
        certainty = resample_labels_to_grid(first.certainty, image.grid).labels_zyx
        return Answer(found.semantic, found.instances, certainty, found.refused)


def judge(study: Study, answer: Answer) -> Quality:
    """What the gate says of an answer."""
    semantic, instances, certainty = (
        LabelMap(array, study.image.affine_lps)
        for array in (answer.semantic, answer.instances, answer.certainty)
    )
    confidence = Confidence.of(semantic, instances, certainty)
    return assess(Evidence.of(semantic, instances, study.image, confidence=confidence))


class Table:
    """Outcomes by kind."""

    COLUMNS = ("n", "refused", "release", "flag", "withhold", "grave", "missed", "flagged", "alarm")

    def __init__(self) -> None:
        self.rows: dict[str, Counter[str]] = {}

    def add(self, study: Study, answer: Answer) -> str:
        """Count one study and put it into a line."""
        row = self.rows.setdefault(study.kind, Counter())
        row["n"] += 1
        if answer.refused:
            row["refused"] += 1
            return f"{study.name}: refused {answer.refused}"
        quality, errors = judge(study, answer), grave_errors(study, answer.bodies)
        row[quality.outcome.value] += 1
        row["grave"] += bool(errors)
        row["missed"] += bool(errors) and quality.outcome is Outcome.RELEASE
        row["flagged"] += bool(errors) and quality.outcome is Outcome.FLAG
        row["alarm"] += not errors and quality.outcome is Outcome.WITHHOLD
        rules = ", ".join(f"{f.rule} ({f.places[0]} {f.value:g})" for f in quality.findings)
        return f"{study.name}: {quality.outcome} [{rules}] {'; '.join(errors)}"

    def lines(self) -> Iterator[str]:
        """One line per kind."""
        yield f"{'':28s}" + "".join(f"{name:>9s}" for name in self.COLUMNS)
        for kind, row in self.rows.items():
            yield f"{kind:28s}" + "".join(f"{row[name]:9d}" for name in self.COLUMNS)


def studies(count: int, shared: str | None, *, trained: bool) -> Iterator[Study]:
    """All studies: the first of every kind, real ones, further synthetic ones."""
    if count:
        yield from _round(0)
    if shared:
        made = (make() for make in real(Path(shared)))
        yield from (study for study in made if trained or study.kind != TRAINED_ON)
    for n in range(1, count):
        yield from _round(n)


def _round(n: int) -> Iterator[Study]:
    for rank, kind in enumerate(SOURCES):
        study = synthetic(kind, FIRST_SEED + 100 * rank + n)
        if study is not None:
            yield study


def run(folder: Path, each: int, *, trained: bool) -> Iterator[str]:
    """Answer and judge; a line per study, then the table."""
    networks, table = Networks(folder), Table()
    for study in studies(each, os.environ.get("SPINE_SHARED"), trained=trained):
        yield table.add(study, networks.answer(study))
    yield from table.lines()


def main() -> int:
    """Answer, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where answers are kept")
    parser.add_argument("--each", type=int, default=4, help="synthetic studies per kind")
    parser.add_argument("--trained", action="store_true", help="subjects of the training as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for line in run(arguments.folder, arguments.each, trained=arguments.trained):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

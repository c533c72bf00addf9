"""Measured on the masks of the pipeline against measured on reference masks of real images.

Run: ``python -m tests.benchmarks.measured_spider FOLDER``; the networks' answers are kept in FOLDER
and shared with `tests.benchmarks.gate_networks`. SPIDER's subjects that the bundled models never
saw (`tests.benchmarks.spider.HELD_OUT`, slices of 3.6 mm), and VB1's and VB2's T2w volumes, which
trained nothing (slices of 4 mm), all in ``$SPINE_SHARED/data``. References have no end plates; of
ours a share counts to the body (`operators.spine.measurements.surfaces.PLATE_SHARE`), which was
chosen on these SPIDER subjects with VB2 in view. SPIDER's subjects are slabs of 12 to 27 mm,
narrower than a body: both masks are taken as all there is, which leaves heights and diameters in
the middle comparable and nothing else. VB1 and VB2 mark bodies alone: heights and ratios. Bodies
are matched at IoU >= 0.5; a disc by the body above it. SPIDER tells no cord from its canal and has
no sacrum.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from app.research.evaluation.detection import match_instances
from operators.anatomy.labels import DISC_OFFSET, Structure
from operators.imaging.cropping import pad
from operators.imaging.volume import LabelMap
from operators.spine.discs import body_heights, number_discs
from tests.benchmarks.gate_networks import Networks
from tests.benchmarks.gate_studies import TRAINED_ON, real
from tests.benchmarks.gate_truth import Study
from tests.benchmarks.measurements import Tally, Values, measured
from tests.benchmarks.spider import CANAL, DISC, annotated_bodies, read

TARGETS = {
    **{f"body_{place}_height": 1.0 for place in ("anterior", "middle", "posterior")},
    "canal_ap_diameter": 1.0,
}
COMPARED = (
    *TARGETS,
    *(f"disc_{place}_height" for place in ("anterior", "middle", "posterior")),
    "wedge_ratio",
    "slip",
)


Maps = tuple[LabelMap, LabelMap]
"""Structures and numbers."""


def reference_maps(labels: LabelMap) -> tuple[LabelMap, LabelMap]:
    """SPIDER's masks with our labels."""
    bodies = annotated_bodies(labels)
    parts = np.zeros(bodies.shape, np.uint8)
    parts[labels.labels_zyx == CANAL] = Structure.CANAL
    parts[labels.labels_zyx == DISC] = Structure.DISC
    parts[bodies > 0] = Structure.CORPUS
    number_discs(parts, bodies, body_heights(parts, bodies))
    return labels.with_labels(parts), labels.with_labels(bodies)


def matched(ours: Maps, truth: Maps, found: Values) -> Values:
    """What is measured on our masks, by the numbers of the reference."""
    bodies = [
        np.where(semantic.labels_zyx == Structure.CORPUS, instances.labels_zyx, 0)
        for semantic, instances in (truth, ours)
    ]
    pairs = match_instances(*bodies).matches
    table = {pair.prediction: pair.reference for pair in pairs}
    values: Values = {}
    for (instance, name), value in found.items():
        offset = DISC_OFFSET if instance > DISC_OFFSET else 0
        if instance - offset in table:
            values[table[instance - offset] + offset, name] = value
    return values


def slab(semantic: LabelMap, instances: LabelMap) -> Values:
    """What is measured where nothing counts as cut at its sides."""
    padded = [pad(labels, ((2, 2), (0, 0), (0, 0))) for labels in (semantic, instances)]
    return measured(padded[0], padded[1], {})


def whole(semantic: LabelMap, instances: LabelMap) -> Values:
    """What is measured."""
    return measured(semantic, instances, {})


def truth_of(study: Study, data: Path) -> Maps:
    """Reference masks with our labels."""
    if study.name.startswith("SPIDER"):
        return reference_maps(read(data / "spider", study.name.split()[1], "thick")[1])
    parts = np.where(study.bodies > 0, np.uint8(Structure.CORPUS), np.uint8(0))
    maps = LabelMap(parts, study.image.affine_lps)
    return maps, maps.with_labels(study.bodies.astype(np.uint16))


def studies(shared: Path) -> Iterator[Study]:
    """Real T2w studies with bodies that trained nothing."""
    for make in real(shared):
        study = make()
        if study.kind == TRAINED_ON:
            return
        if study.kind.startswith("SPIDER") or study.kind in {"VB1", "VB2"}:
            yield study


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the networks' answers are kept")
    arguments = parser.parse_args()
    shared = os.environ.get("SPINE_SHARED")
    if not shared:
        sys.stderr.write("SPINE_SHARED is not set: no real images here\n")
        return 0
    torch.set_num_threads(1)
    networks = Networks(arguments.folder)
    tallies: dict[str, Tally] = {}
    for study in studies(Path(shared)):
        truth, look = truth_of(study, Path(shared) / "data"), whole
        if study.kind.startswith("SPIDER"):
            look = slab
        values = {key: v for key, v in look(*truth).items() if key[1] in COMPARED}
        answer = networks.answer(study)
        ours = truth[0].with_labels(answer.semantic), truth[0].with_labels(answer.instances)
        tally = tallies.setdefault(study.kind, Tally())
        tally.add(values, matched(ours, truth, look(*ours)))
        sys.stderr.write(f"{study.name} {answer.refused}\n")
    for name, tally in tallies.items():
        sys.stdout.write(f"\n{name}\n")
        for line in tally.lines(TARGETS):
            sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

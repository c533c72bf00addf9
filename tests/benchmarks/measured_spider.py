"""Measured on the masks of the pipeline against measured on those of SPIDER.

Run: ``python -m tests.benchmarks.measured_spider [--thickness thick]``. The subjects that the
bundled models never saw (`tests.benchmarks.spider.HELD_OUT`, in ``$SPINE_SHARED/data/spider``),
through both phases and post-processing. Whether SPIDER's vertebrae reach over their end plates is
not said, so ours are measured with them (given to the nearest body) and without them. The subjects
are slabs of 12 to 27 mm, narrower than a body: both masks are taken as all there is, which leaves
heights and diameters in the middle comparable and nothing else. Bodies are matched at IoU >= 0.5; a
disc by the body above it. SPIDER tells no cord from its canal and has no sacrum.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch

from app.research.evaluation.detection import match_instances
from operators.anatomy.labels import DISC_OFFSET, Structure
from operators.imaging.cropping import pad
from operators.imaging.volume import LabelMap
from operators.networks.instances import load_instance_model
from operators.networks.semantic import load_semantic_model
from operators.spine.discs import body_heights, number_discs
from tests.benchmarks.measurements import Tally, Values, measured
from tests.benchmarks.real_volumes import MODELS, SACRUM, Found, find, plates
from tests.benchmarks.spider import CANAL, DISC, HELD_OUT, THICKNESSES, annotated_bodies, read
from tests.benchmarks.synthetic_figures import nearest_of

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


def reference_maps(labels: LabelMap) -> tuple[LabelMap, LabelMap]:
    """SPIDER's masks with our labels."""
    bodies = annotated_bodies(labels)
    parts = np.zeros(bodies.shape, np.uint8)
    parts[labels.labels_zyx == CANAL] = Structure.CANAL
    parts[labels.labels_zyx == DISC] = Structure.DISC
    parts[bodies > 0] = Structure.CORPUS
    number_discs(parts, bodies, body_heights(parts, bodies))
    return labels.with_labels(parts), labels.with_labels(bodies)


def our_maps(found: Found, like: LabelMap, *, with_plates: bool) -> tuple[LabelMap, LabelMap]:
    """Masks of the pipeline, end plates given to the bodies that they lie on, or not."""
    parts, numbers = found.semantic.copy(), found.instances.copy()
    if not with_plates:
        return like.with_labels(parts), like.with_labels(numbers)
    owners = np.where((parts == Structure.CORPUS) | (numbers == SACRUM), numbers, 0)
    at = plates(parts)
    numbers[at] = nearest_of(owners, like.spacing_zyx_mm)[at]
    parts[at] = np.where(numbers[at] == SACRUM, Structure.SACRUM, Structure.CORPUS)
    return like.with_labels(parts), like.with_labels(numbers)


def matched(ours: tuple[LabelMap, LabelMap], truth: tuple[LabelMap, LabelMap]) -> Values:
    """What is measured on our masks, by the numbers of the reference."""
    bodies = [
        np.where(semantic.labels_zyx == Structure.CORPUS, instances.labels_zyx, 0)
        for semantic, instances in (truth, ours)
    ]
    pairs = match_instances(*bodies).matches
    table = {pair.prediction: pair.reference for pair in pairs}
    values: Values = {}
    for (instance, name), value in slab(*ours).items():
        offset = DISC_OFFSET if instance > DISC_OFFSET else 0
        if instance - offset in table:
            values[table[instance - offset] + offset, name] = value
    return values


def slab(semantic: LabelMap, instances: LabelMap) -> Values:
    """What is measured where nothing counts as cut at its sides."""
    padded = [pad(labels, ((2, 2), (0, 0), (0, 0))) for labels in (semantic, instances)]
    return measured(padded[0], padded[1], {})


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--thickness", choices=tuple(THICKNESSES), default="thick")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    shared = os.environ.get("SPINE_SHARED")
    if not shared:
        sys.stderr.write("SPINE_SHARED is not set: no SPIDER subjects here\n")
        return 0
    torch.set_num_threads(arguments.threads)
    data = Path(shared) / "data" / "spider"
    semantic = load_semantic_model(MODELS / "spine_t2w_compact")
    instance = load_instance_model(MODELS / "vertebra_instance_compact")
    tallies = {"with end plates": Tally(), "bodies alone": Tally()}
    for subject in HELD_OUT:
        image, labels = read(data, subject, arguments.thickness)
        truth = reference_maps(labels)
        found = find(image, semantic, instance)
        values = {key: v for key, v in slab(*truth).items() if key[1] in COMPARED}
        for name, tally in tallies.items():
            ours = our_maps(found, labels, with_plates=name == "with end plates")
            tally.add(values, matched(ours, truth))
        sys.stderr.write(f"{subject} {found.refused}\n")
    for name, tally in tallies.items():
        sys.stdout.write(f"\n{name}\n")
        for line in tally.lines(TARGETS):
            sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

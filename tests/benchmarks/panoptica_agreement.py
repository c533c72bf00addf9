"""Our metrics against panoptica's: ``python -m tests.benchmarks.panoptica_agreement``.

panoptica needs older releases of several libraries than this product, so it runs in an interpreter
of its own, named by ``PANOPTICA_PYTHON`` (``pip install panoptica`` there); without one this script
says so and compares nothing. The masks are the truths of synthetic spines and spoiled copies of
them: shifted, grown, with vertebrae lost, merged, cut in two and renumbered, on 4.4 x 0.9 x 0.9 mm.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.ndimage import grey_dilation, shift

from app.research.evaluation.instance_scoring import score_kind
from app.research.evaluation.measures import Item, Masks
from app.research.evaluation.overlap import dice
from app.research.evaluation.structures import KINDS, instances_of
from app.research.synthetic.dicom_series import STUDY_PHANTOM
from app.research.synthetic.phantom import generate

FIRST_SEED = 930_000
"""Far from the seeds of any training."""

UNDEFINED_UNMATCHED = ("sq", "dsc", "assd_mm")
TOLERANCE = 1e-9
METRICS = ("tp", "fp", "fn", "rq", "sq", "pq", "dsc", "assd_mm", "global_dsc")

_RUNNER = """
import json, sys
import numpy as np
from importlib.metadata import version
from panoptica import InputType, NaiveThresholdMatching, Panoptica_Evaluator
from panoptica.metrics import Metric

evaluator = Panoptica_Evaluator(
    expected_input=InputType.UNMATCHED_INSTANCE,
    instance_matcher=NaiveThresholdMatching(matching_metric=Metric.IOU, matching_threshold=0.5),
    instance_metrics=[Metric.DSC, Metric.IOU, Metric.ASSD],
    global_metrics=[Metric.DSC],
    log_times=False,
    verbose=False,
)
rows = {}
for name in sys.argv[1:]:
    with np.load(name) as masks:
        result = evaluator.evaluate(
            masks["prediction"], masks["reference"], voxelspacing=tuple(masks["spacing"].tolist())
        )["ungrouped"]
    rows[name] = {
        "tp": result.tp, "fp": result.fp, "fn": result.fn, "rq": result.rq, "sq": result.sq,
        "pq": result.pq, "dsc": result.sq_dsc, "assd_mm": result.sq_assd,
        "global_dsc": result.global_bin_dsc,
    }
rows = {n: {k: None if v is None else float(v) for k, v in r.items()} for n, r in rows.items()}
print("RESULT" + json.dumps({"version": version("panoptica"), "rows": rows}))
"""


def spoiled(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An instance map with every kind of error: moved, grown, lost, merged, cut, renumbered."""
    by = (int(rng.random() < 0.2), *(int(n) for n in rng.integers(-1, 2, 2)))
    moved = shift(labels, by, order=0)
    grown = grey_dilation(moved, size=(1, 3, 3))
    out = np.where(moved > 0, moved, np.where(rng.random(labels.shape) < 0.3, grown, 0))
    present = [int(n) for n in np.unique(out) if n]
    lost, merged, into, cut = rng.permutation(present)[:4]
    out[out == lost] = 0
    out[out == merged] = into
    where = np.argwhere(out == cut)
    if len(where):
        half = where[where[:, 1] > np.median(where[:, 1])]
        out[tuple(half.T)] = out.max() + 1
    order = np.concatenate([[0], 1 + rng.permutation(int(out.max()))])
    return order[out].astype(np.uint16)


def pairs(seeds: int) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Reference, prediction and affine, by name."""
    made = {}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        truth = generate(seed, STUDY_PHANTOM).instances
        rng = np.random.default_rng([seed, 77])
        for kind in KINDS:
            if not kind.parts:
                labels = instances_of(kind, truth.labels_zyx, None)
                made[f"{seed}_{kind.name}"] = (
                    labels.astype(np.uint16),
                    spoiled(labels, rng),
                    truth.affine_lps,
                )
    return made


def ours(reference: np.ndarray, prediction: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """Our figures, computed by the functions behind ``spine-node evaluate``."""
    from operators.imaging.volume import LabelMap  # noqa: PLC0415 - beside its only use

    kind = KINDS[0]
    maps = []
    for labels in (reference, prediction):
        numbers = np.unique(labels)
        # Any numbers to vertebra ids, so that the product's own selection keeps them.
        compact = np.searchsorted(numbers, labels).astype(np.uint16)
        maps.append(Masks(instances=LabelMap(compact, affine)))
    measures = score_kind(kind, *maps)[1]
    item = Item("detection", kind.name)
    found = {m.metric: m.value for m in measures if m.item == item}
    return {**found, "global_dsc": dice(reference > 0, prediction > 0)}


def theirs(
    interpreter: str, made: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> tuple[str, dict[str, dict[str, float | None]]]:
    """panoptica's version and its figures for every pair."""
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: str(Path(scratch) / f"{name}.npz") for name in made}
        for name, (reference, prediction, affine) in made.items():
            spacing = np.linalg.norm(affine[:3, :3], axis=0)
            np.savez(files[name], reference=reference, prediction=prediction, spacing=spacing)
        done = subprocess.run(
            [interpreter, "-c", _RUNNER, *files.values()],
            check=True,
            capture_output=True,
            text=True,
        )
    line = next(n for n in done.stdout.splitlines() if n.startswith("RESULT"))
    found = json.loads(line.removeprefix("RESULT"))
    return found["version"], {name: found["rows"][file] for name, file in files.items()}


def main() -> int:
    """Compare, print the largest difference of every metric, fail above `TOLERANCE`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="synthetic spines")
    arguments = parser.parse_args()
    interpreter = os.environ.get("PANOPTICA_PYTHON")
    if not interpreter:
        sys.stderr.write("PANOPTICA_PYTHON names no interpreter with panoptica: nothing compared\n")
        return 0
    made = pairs(arguments.seeds)
    version, others = theirs(interpreter, made)
    own = {name: ours(*masks) for name, masks in made.items()}
    unmatched = [name for name in made if not own[name]["tp"]]
    tp, fp, fn = (sum(row[metric] for row in own.values()) for metric in ("tp", "fp", "fn"))
    sys.stdout.write(
        f"panoptica {version}, {len(made)} pairs of masks, {tp:.0f} matched, {fp:.0f} extra, "
        f"{fn:.0f} missed instances; {len(unmatched)} pairs without a match, where SQ, DSC and "
        "ASSD are undefined here and 0, 0 and infinite there. Largest differences:\n"
    )
    largest = 0.0
    for metric in METRICS:
        compared = [n for n in made if n not in unmatched or metric not in UNDEFINED_UNMATCHED]
        worst = max(abs(own[n][metric] - (others[n][metric] or 0.0)) for n in compared)
        largest = max(largest, worst)
        sys.stdout.write(f"  {metric:11s} {worst:.2e} ({len(compared)} pairs)\n")
    return int(not largest < TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())

"""How well the bundled models do on real T2w studies: ``python -m tests.benchmarks.accuracy``.

Runs ``spine-node run`` on the studies of ``$SPINE_SHARED/data/dicom/spine``, reads the written
SEG objects back and compares them with the reference of vertebral bodies (lumbar_a, lumbar_b) and
discs (lumbar_c). Label 255 (S1) is not scored: what is predicted there counts neither way. Levels
above and below the annotated ones have no reference; scores are taken between the top and the
bottom of what is annotated ("slab"), and over the whole image beside it ("all"). The lowest
annotated level is L5 or the disc below it: vertebrae further down ("below") are part of the sacrum.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.ndimage import label

from app.research.evaluation.detection import match_instances, recognition
from app.research.evaluation.mask_files import read_segments
from app.research.evaluation.overlap import dice
from operators.imaging.nifti import read_label_map
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_labels_to_grid

CASES = {
    "lumbar_a": ("lumbar_a", "2_t2_sag_truth.nii.gz", "body"),
    "lumbar_b": ("lumbar_b", "3_t2_sag_truth.nii.gz", "body"),
    "lumbar_c": ("lumbar_c", "2_t2_sag_truth.nii.gz", "disc"),
}
NOT_SCORED = 255
LOWEST = 1
"""The disc below L5; bodies count from L5 (1 or 2) upwards."""

PIR = ("P", "I", "R")


def recognition_quality(truth: np.ndarray, found: np.ndarray) -> tuple[float, int, int, int]:
    """RQ at IoU >= 0.5, with matched, extra and missed instances."""
    matching = match_instances(truth, found)
    counts = recognition(
        [match.iou for match in matching.matches],
        extra=len(matching.extra),
        missed=len(matching.missed),
    )
    return counts.rq, counts.tp, counts.fp, counts.fn


def found_by_slice(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Share of a structure (K, J, I) that is found, in its outermost slices and in the others."""
    slices = np.flatnonzero(truth.any(axis=(1, 2)))
    is_end = np.isin(np.arange(len(truth)), slices[[0, -1]])
    return {
        "ends found": float(found[is_end][truth[is_end]].mean()),
        "middle found": float(found[~is_end][truth[~is_end]].mean()),
    }


def arches_out_of_order(semantic: np.ndarray, instances: np.ndarray) -> int:
    """Count the neighbours whose arches lie the other way round than their bodies.

    Parameters
    ----------
    semantic, instances : (R, I, P) ndarray of int
        Final masks. Arches (41) and spinous processes (42) count, bodies are 49.
    """
    body, arch = (
        {
            n: np.argwhere(is_part & (instances == n))[:, 1].mean()
            for n in np.unique(instances[is_part & (instances > 0)]).tolist()
        }
        for is_part in (semantic == 49, np.isin(semantic, (41, 42)))
    )
    rows = [arch[n] for n in sorted(body, key=body.__getitem__) if n in arch]
    return int(np.count_nonzero(np.diff(rows) < 0))


def processes_too_high(semantic: np.ndarray, instances: np.ndarray) -> int:
    """Count the vertebrae with a spinous process in the place of the next one up.

    A piece of at least a tenth of it lies above the body's centre by more than 0.35 of the rows to
    the next body up.

    Parameters
    ----------
    semantic, instances : (R, I, P) ndarray of int
        Final masks. Spinous processes are 42, bodies 49.
    """
    is_body = (semantic == 49) & (instances > 0)
    rows = {
        n: np.argwhere(is_body & (instances == n))[:, 1].mean()
        for n in np.unique(instances[is_body]).tolist()
    }
    order = sorted(rows, key=rows.__getitem__)
    high = 0
    for above, below in pairwise(order):
        process = (semantic == 42) & (instances == below)
        number, count = label(process, np.ones((3, 3, 3)))
        limit = rows[below] - 0.35 * (rows[below] - rows[above])
        pieces = [np.argwhere(number == n + 1)[:, 1] for n in range(count)]
        least = process.sum() / 10
        high += any(len(piece) >= least and piece.mean() < limit for piece in pieces)
    return high


def vertebrae_below(bodies: np.ndarray, annotated: np.ndarray) -> list[int]:
    """Numbers of the vertebrae found below the annotated ones.

    Parameters
    ----------
    bodies : (R, I, P) ndarray of int
        Number of the vertebra on every voxel of a body, 0 elsewhere.
    annotated : (R, I, P) ndarray of bool
        The annotated vertebrae down to L5, or the disc below L5.

    Returns
    -------
    list of int
        Those of whose body less than half is annotated and whose centre lies lower than the
        centre of what is annotated.
    """
    lowest = np.argwhere(annotated)[:, 1].mean()
    found = []
    for n in np.unique(bodies[bodies > 0]).tolist():
        body = bodies == n
        share = np.count_nonzero(body & annotated) / np.count_nonzero(body)
        if share < 0.5 and np.argwhere(body)[:, 1].mean() > lowest:
            found.append(n)
    return found


def score(out: Path, truth_file: Path, kind: str) -> dict[str, object]:
    """Compare the SEG objects of one run with the reference."""
    truth_map = reorient(read_label_map(truth_file), PIR)
    truth = truth_map.labels_zyx
    semantic, names = read_segments(next(out.glob("*_semantic.dcm")))
    instances, instance_names = read_segments(next(out.glob("*_instances.dcm")))
    parts = resample_labels_to_grid(semantic, truth_map.grid).labels_zyx
    number_of = {name: n for n, name in names.items()}
    body, disc = (number_of[name] for name in ("Vertebral body", "Intervertebral disc"))
    number = body if kind == "body" else disc
    single = resample_labels_to_grid(instances, truth_map.grid).labels_zyx
    vertebrae = [n for n, name in instance_names.items() if name.startswith("vertebra ")]
    bodies = np.where((parts == body) & np.isin(single, vertebrae), single, 0)
    scored = truth != NOT_SCORED
    found = (parts == number) & scored
    reference = (truth > 0) & scored
    rows = np.flatnonzero(reference.any(axis=(0, 2)))
    slab = slice(rows[0], rows[-1] + 1)
    result: dict[str, object] = {
        "dice_slab": round(dice(found[:, slab], reference[:, slab]), 4),
        "dice_all": round(dice(found, reference), 4),
        "below": len(vertebrae_below(bodies, reference if kind == "body" else truth == LOWEST)),
    }
    if kind == "body":
        bodies = np.where(scored, bodies, 0)
        result["rq_all"], *counts = recognition_quality(reference * truth, bodies)
        centres = {
            n: np.flatnonzero((bodies == n).any(axis=(0, 2))).mean()
            for n in vertebrae
            if (bodies == n).any()
        }
        inside = [n for n, i in centres.items() if slab.start <= i < slab.stop]
        kept = np.where(np.isin(bodies, inside), bodies, 0)
        result["rq_slab"], *slab_counts = recognition_quality(reference * truth, kept)
        result["tp_fp_fn_all"], result["tp_fp_fn_slab"] = counts, slab_counts
    return result


def main() -> int:
    """Run, score, print one line per study and, with ``--json``, the whole table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the table here")
    parser.add_argument("--keep", type=Path, help="keep the outputs in this folder")
    arguments = parser.parse_args()
    shared = os.environ.get("SPINE_SHARED")
    if not shared:
        sys.stderr.write("SPINE_SHARED is not set: no real studies here\n")
        return 0
    table = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, (study, truth, kind) in CASES.items():
            folder = Path(shared) / "data" / "dicom" / "spine" / study
            out = (arguments.keep or Path(scratch)) / name
            start = time.perf_counter()
            subprocess.run(
                [
                    str(Path(sys.executable).with_name("spine-node")),
                    *("run", "-i", str(folder), "-o", str(out)),
                    *("--report", str(Path(scratch) / "record.json")),
                ],
                check=True,
                capture_output=True,
            )
            record = json.loads((Path(scratch) / "record.json").read_text())
            table[name] = {
                "series_taken": sum(d["accepted"] for d in record["decisions"]),
                "vertebrae": record["series"][0]["vertebrae"],
                "wall_s": round(time.perf_counter() - start, 1),
                **score(out, folder / truth, kind),
            }
            sys.stdout.write(f"{name}: {json.dumps(table[name])}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Figures on real T2w volumes: ``python -m tests.benchmarks.real_volumes [--semantic DIR]``.

Runs both phases with post-processing on the NIfTI volumes of ``$SPINE_SHARED/data/volumes`` and
prints one row per structure beside the figure it is held to. None of these images trains or chooses
a model. The 1 mm volumes were interpolated through the plane: their slices are averaged by fours to
4 mm before anything sees them, and the reference is the majority of each four.

"Slab" = between the first and the last annotated level over the whole depth and width, because
levels outside are not annotated. Bodies are scored alone (49), with their endplates (49 + 62), and
as instances (IoU >= 0.5; a found body counts where its centre lies in the slab). S1 (255) counts
neither way there; "below L5" counts the images with a vertebra below the annotated ones, which is
part of the sacrum (`accuracy.vertebrae_below`). The knee of the table is not here: there is no such
image; noise and a brain are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import scan
from operators.errors import SpineError
from operators.imaging.nifti import read_label_map, read_volume
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import LabelMap, Volume
from operators.networks.instances import InstanceModel, load_instance_model
from operators.networks.semantic import SemanticModel, load_semantic_model
from operators.segment_instances import settings_of
from operators.spine.bodiless import without_bodiless
from operators.spine.instance_phase import segment_vertebrae
from operators.spine.postprocessing import PostprocessSettings, postprocess
from operators.spine.quality.presence import require_spine
from operators.spine.semantic_cleanup import clean_semantic
from tests.benchmarks.accuracy import (
    LOWEST,
    NOT_SCORED,
    PIR,
    dice,
    recognition_quality,
    vertebrae_below,
)

THICK = 4
HEALTHY = ("VB2_02", "VB2_05", "VB2_09", "VB2_16")
PATHOLOGY = ("VB1_11", "VB1_15")
DISCS = ("IVD_11", "IVD_42")
BODY, SACRUM, CORD, CANAL, PLATE, DISC = 49, 26, 60, 61, 62, 100
MODELS = Path(__file__).parents[2] / "models"


@dataclass(frozen=True, slots=True)
class Found:
    """Final masks [R, I, P] of one image; empty where no spine was reported."""

    semantic: np.ndarray
    instances: np.ndarray
    refused: str
    seconds: float


def thick_slices(volume: Volume) -> Volume:
    """Average the sagittal slices of a P, I, R volume by fours."""
    voxels = volume.voxels_zyx[: len(volume.voxels_zyx) // THICK * THICK]
    mean = voxels.reshape(-1, THICK, *voxels.shape[1:]).mean(axis=1, dtype=np.float32)
    return Volume(mean, _thick_affine(volume.affine_lps))


def thick_labels(labels: LabelMap) -> LabelMap:
    """Keep a label where at least half of the four slices have it."""
    array = labels.labels_zyx[: len(labels.labels_zyx) // THICK * THICK]
    groups = array.reshape(-1, THICK, *array.shape[1:])
    kept = np.zeros(groups.shape[::2][:1] + array.shape[1:], array.dtype)
    for label in np.unique(array):
        if label:
            kept[(groups == label).sum(axis=1) * 2 >= THICK] = label
    return LabelMap(kept, _thick_affine(labels.affine_lps))


def _thick_affine(affine: np.ndarray) -> np.ndarray:
    thick = affine.copy()
    thick[:3, 0] *= THICK
    thick[:3, 3] += affine[:3, 0] * (THICK - 1) / 2
    return thick


def find(volume: Volume, semantic: SemanticModel | LabelMap, instance: InstanceModel) -> Found:
    """Both phases and post-processing, as the pipeline's steps do it.

    A label map instead of a model takes the place of phase 1.
    """
    start = time.perf_counter()
    nothing = np.zeros(volume.voxels_zyx.shape, np.uint16)
    try:
        labels = semantic if isinstance(semantic, LabelMap) else semantic.segment(volume).labels
        cleaned = clean_semantic(labels)
        raw = segment_vertebrae(cleaned, instance, settings_of(instance.config, cleaned))
        structures = resample_labels_to_grid(cleaned, volume.grid)
        vertebrae, _ = without_bodiless(
            structures, resample_labels_to_grid(raw.instances, volume.grid)
        )
        result = postprocess(structures, vertebrae, PostprocessSettings())
        require_spine(result.semantic, result.instances)
    except SpineError as error:
        return Found(nothing, nothing, error.code, time.perf_counter() - start)
    masks = result.semantic.labels_zyx, result.instances.labels_zyx
    return Found(*masks, "", time.perf_counter() - start)


def slab_of(reference: np.ndarray) -> slice:
    """Rows between the first and the last annotated level."""
    rows = np.flatnonzero(reference.any(axis=(0, 2)))
    return slice(int(rows[0]), int(rows[-1]) + 1)


def plates(semantic: np.ndarray) -> np.ndarray:
    """Endplates, split into upper and lower ones or not."""
    return np.isin(semantic, (PLATE, 52, 53))


def bodies_of(found: Found) -> np.ndarray:
    """Number of the vertebra on every voxel of a body."""
    return np.where((found.semantic == BODY) & (found.instances < SACRUM), found.instances, 0)


def score_bodies(found: Found, truth: np.ndarray) -> dict[str, object]:
    """Slab Dice of 49, of 49 + 62, and the counts of the instances."""
    scored = truth != NOT_SCORED
    reference = (truth > 0) & scored
    slab = slab_of(reference)
    body = (found.semantic == BODY) & scored
    both = (np.isin(found.semantic, (BODY,)) | plates(found.semantic)) & scored
    single = np.where(body & (found.instances < SACRUM), found.instances, 0)
    inside = [
        n
        for n in np.unique(single)
        if n and slab.start <= np.flatnonzero((single == n).any(axis=(0, 2))).mean() < slab.stop
    ]
    kept = np.where(np.isin(single, inside), single, 0)
    _, hits, extra, misses = recognition_quality(np.where(reference, truth, 0), kept)
    side = body[:, slab], reference[:, slab]
    return {
        "dice": dice(*side),
        "dice_with_endplates": dice(both[:, slab], reference[:, slab]),
        "precision": float((side[0] & side[1]).sum() / max(1, side[0].sum())),
        "recall": float((side[0] & side[1]).sum() / side[1].sum()),
        "tp_fp_fn": (hits, extra, misses),
        "below": len(vertebrae_below(bodies_of(found), reference)),
    }


def score_discs(found: Found, truth: np.ndarray) -> dict[str, object]:
    """Slab Dice of the discs and how many of them overlap by more than half."""
    slab = slab_of(truth > 0)
    mask = found.semantic == DISC
    return {
        "dice": dice(mask[:, slab], (truth > 0)[:, slab]),
        "levels_found": [
            int(sum((mask & (truth == n)).sum() > 0.5 * (truth == n).sum() for n in _ids(truth))),
            len(_ids(truth)),
        ],
        "below": len(vertebrae_below(bodies_of(found), truth == LOWEST)),
    }


def _ids(truth: np.ndarray) -> list[int]:
    return [int(n) for n in np.unique(truth) if n and n != NOT_SCORED]


def score_template(found: Found, levels: np.ndarray, points: np.ndarray) -> dict[str, object]:
    """Bodies C3-L2 and disc heights of the PAM50 template.

    The template's points lie in the cord at the heights of the discs; a point is hit where a disc
    lies in front of it within 10 mm of the midline and 4 mm of its height. Point 2 lies above C2,
    where there is no disc: it is hit by any part of C1 or C2. A body is found where one vertebra's
    body has its centre at the height of the level (L2: below the last one).
    """
    body = bodies_of(found)
    middle = [
        np.flatnonzero((body == n).any(axis=(0, 2))).mean() for n in np.unique(body[body > 0])
    ]
    spans = {n: np.flatnonzero((levels == n).any(axis=(0, 2)))[[0, -1]] for n in range(3, 21)}
    spans[21] = np.array([spans[20][1] + 1, levels.shape[1]])
    seen = sum(any(low - 1 <= m <= high + 1 for m in middle) for low, high in spans.values())
    hits = 0
    for r, i, p in np.argwhere(points > 0):
        near = found.semantic[max(r - 10, 0) : r + 11, i - 2 : i + 3, max(p - 40, 0) : p]
        wanted = [DISC] if points[r, i, p] > 2 else list(range(41, 50))
        hits += bool(np.isin(near, wanted).any())
    return {"bodies_c3_l2": [seen, len(spans)], "disc_points": [hits, int((points > 0).sum())]}


def score_crop(found: Found, truth: np.ndarray) -> dict[str, object]:
    """Every label of the three-vertebra crop, posterior elements merged, and the sides."""
    labels = np.where(plates(found.semantic), PLATE, found.semantic)
    result: dict[str, object] = {
        str(n): round(dice(labels == n, truth == n), 3) for n in _ids(truth) if n not in (52, 53)
    }
    posterior = (labels >= 41) & (labels <= 48)
    result["posterior"] = dice(posterior, (truth >= 41) & (truth <= 48))
    result["empty_of_41_48"] = [n for n in range(41, 49) if not (labels == n).any()]
    left = np.isin(truth, (43, 45, 47)) & np.isin(labels, range(43, 49))
    right = np.isin(truth, (44, 46, 48)) & np.isin(labels, range(43, 49))
    wrong = (left & (labels % 2 == 0)).sum() + (right & (labels % 2 == 1)).sum()
    result["right_side_share"] = float(1 - wrong / max(1, (left | right).sum()))
    return result


class Bench:
    """The models, the data folder and what was found so far."""

    def __init__(self, semantic: Path, instance: Path, data: Path, dump: Path | None) -> None:
        self.semantic = load_semantic_model(semantic)
        self.instance = load_instance_model(instance)
        self.volumes, self.data, self.dump = data / "volumes", data, dump

    def look(self, name: str, volume: Volume) -> Found:
        """Run one volume, tell it, keep its masks where that was asked for."""
        found = find(volume, self.semantic, self.instance)
        sys.stdout.write(f"  {name}: {found.seconds:.0f} s {found.refused}\n")
        sys.stdout.flush()
        if self.dump is not None:
            self.dump.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(
                self.dump / f"{name}.npz",
                image=volume.voxels_zyx.astype(np.float32),
                semantic=found.semantic,
                instances=found.instances,
                affine=volume.affine_lps,
            )
        return found

    def pair(self, name: str) -> tuple[Found, np.ndarray]:
        """One 1 mm volume in 4 mm slices, with its reference."""
        image = thick_slices(reorient(read_volume(self.volumes / f"{name}_img.nii.gz"), PIR))
        truth = thick_labels(reorient(read_label_map(self.volumes / f"{name}_seg.nii.gz"), PIR))
        return self.look(name, image), truth.labels_zyx

    def plain(self, name: str, *masks: str) -> tuple[Found, list[np.ndarray]]:
        """One volume as it is, with masks of the same grid."""
        image = reorient(read_volume(self.volumes / f"{name}.nii.gz"), PIR)
        truth = [
            reorient(read_label_map(self.volumes / f"{m}.nii.gz"), PIR).labels_zyx for m in masks
        ]
        return self.look(name, image), truth

    def no_spine(self) -> dict[str, str]:
        """What is said about a T1w brain and about noise."""
        brain = assemble(scan(self.data / "dicom" / "sag_t1_brain").series[0])
        rng = np.random.default_rng(7)
        noise = Volume(rng.rayleigh(100, (15, 256, 256)).astype(np.float32), np.diag([4, 1, 1, 1]))
        images = {"brain": brain, "noise": reorient(noise, PIR)}
        return {name: self.look(name, image).refused for name, image in images.items()}


def measure(bench: Bench) -> dict[str, dict[str, object]]:
    """Score every case."""
    table: dict[str, dict[str, object]] = {}
    for name in (*HEALTHY, *PATHOLOGY):
        table[name] = score_bodies(*bench.pair(name))
    for name in DISCS:
        table[name] = score_discs(*bench.pair(name))
    found, (cord,) = bench.plain("sct_t2_cervical_crop", "sct_t2_cervical_crop_cord")
    table["sct_cervical"] = {"cord": dice(found.semantic == CORD, cord > 0)}
    found, (cord, levels, points) = bench.plain(
        "pam50_small_t2", "pam50_small_cord", "pam50_small_levels", "pam50_small_label_disc"
    )
    rows = slab_of(cord > 0)
    table["pam50"] = {
        "cord": dice((found.semantic == CORD)[:, rows], (cord > 0)[:, rows]),
        **score_template(found, levels, points),
    }
    found, (truth,) = bench.plain("tptbox_lumbar_crop", "tptbox_lumbar_crop_subregions")
    table["tptbox"] = score_crop(found, truth)
    table["no_spine"] = dict(bench.no_spine())
    return table


def rows_of(table: dict[str, dict[str, object]]) -> list[tuple[str, str, str]]:
    """Row, figure of the CPU tier, measured: the issue's table."""

    def mean(names: tuple[str, ...], key: str) -> str:
        values = [float(str(table[n][key])) for n in names]
        return f"{np.mean(values):.3f} ({' '.join(f'{v:.3f}' for v in values)})"

    counts = np.sum([table[n]["tp_fp_fn"] for n in (*HEALTHY, *PATHOLOGY)], axis=0)
    rq = counts[0] / (counts[0] + counts[1] / 2 + counts[2] / 2)
    lumbar = (*HEALTHY, *PATHOLOGY, *DISCS)
    below = [name for name in lumbar if table[name]["below"]]
    crop, template = table["tptbox"], table["pam50"]
    return [
        ("bodies 49, VB2, slab", "0.89", mean(HEALTHY, "dice")),
        ("bodies 49 + 62, VB2, slab", "-", mean(HEALTHY, "dice_with_endplates")),
        ("bodies 49, VB1 T2w, slab", "0.79", mean(PATHOLOGY, "dice")),
        ("bodies 49 + 62, VB1 T2w, slab", "-", mean(PATHOLOGY, "dice_with_endplates")),
        ("body instances RQ, VB2 + VB1", "0.95", f"{rq:.3f} (TP FP FN {counts.tolist()})"),
        ("discs, IVD, slab", "0.72", mean(DISCS, "dice")),
        ("below L5", "none", f"{len(below)} of {len(lumbar)} {' '.join(below)}"),
        ("cord, SCT cervical crop", "0.80", f"{table['sct_cervical']['cord']:.3f}"),
        ("cord, PAM50", "0.80", f"{template['cord']:.3f}"),
        ("PAM50 bodies C3-L2", "all", f"{template['bodies_c3_l2']}"),
        ("PAM50 disc points", "18 of 18", f"{template['disc_points']}"),
        ("crop: canal without cord", "0.78", f"{crop[str(CANAL)]}"),
        ("crop: posterior merged", "0.50", f"{crop['posterior']:.3f}"),
        ("crop: empty among 41-48", "none", f"{crop['empty_of_41_48']}"),
        ("crop: lateral parts on their side", ">= 0.99", f"{crop['right_side_share']:.3f}"),
        ("no spine: brain, noise", "nothing", f"{table['no_spine']}"),
    ]


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--semantic", type=Path, default=MODELS / "spine_t2w_compact")
    parser.add_argument("--instance", type=Path, default=MODELS / "vertebra_instance_compact")
    parser.add_argument("--json", type=Path, help="also write everything here")
    parser.add_argument("--dump", type=Path, help="keep image and masks as npz in this folder")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    shared = os.environ.get("SPINE_SHARED")
    if not shared:
        sys.stderr.write("SPINE_SHARED is not set: no real volumes here\n")
        return 0
    torch.set_num_threads(arguments.threads)
    data = Path(shared) / "data"
    bench = Bench(arguments.semantic, arguments.instance, data, arguments.dump)
    table = measure(bench)
    for row, wanted, measured in rows_of(table):
        sys.stdout.write(f"{row:36s} {wanted:9s} {measured}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1, default=float) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Figures on unseen synthetic spines: ``python -m tests.benchmarks.synthetic_figures``.

Spines from seeds that no training uses (910000 and up), each in two renderings: one of the family
that the models are trained on (``t2``) and one of a family that they never see (``t2_plain``).
Cervical, thoracic and lumbosacral fields with slices of 1.5 to 4.5 mm go through both phases and
post-processing; Dice per label pools the voxels of a region. "Side" = share of the lateral parts'
true voxels found as any lateral part whose side is right. Bodies match at IoU >= 0.5. Instance Dice
is the mean over the true vertebrae, each against the instance that covers most of it: of the whole
vertebra (41-49), and of the body part alone (49); "at best" is what phase 1 leaves to be reached:
its vertebra voxels given to the nearest true vertebra. Vertebrae whose body the upper, lower, front
or back edge of the field cuts, or of which less than 600 mm3 are in view, count neither way.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from app.research.synthetic.acquisition import Scanner
from app.research.synthetic.phantom import PhantomSettings, SyntheticCase, generate
from operators.anatomy.labels import MODEL_STRUCTURES, Structure
from operators.imaging.resampling import resample_labels_to_spacing
from operators.imaging.volume import LabelMap, Volume
from operators.networks.instances import load_instance_model
from operators.networks.semantic import load_semantic_model
from tests.benchmarks.accuracy import dice, recognition_quality
from tests.benchmarks.real_volumes import MODELS, Found, find, plates

FIRST_SEED = 910_000
REGIONS = {
    "cervical": (1.0, 0.0, 0.0, 0.0),
    "thoracic": (0.0, 1.0, 0.0, 0.0),
    "lumbar": (0.0, 0.0, 0.6, 0.4),
}
FAMILIES = ("t2", "t2_plain")
SLICES_MM = {1.5: 1, 2.2: 3, 3.0: 3, 3.8: 3, 4.5: 5}
"""Slice distances, taken in turn, and how many painted sub-slices a slice is averaged from."""
WIDTH_MM, IN_PLANE_MM = 54.0, 0.9
VERTEBRA = range(41, 50)
SACRUM, BODY, LEAST_BODY_MM3 = 26, 49, 600.0
WANTED = {
    **dict.fromkeys((60, 26), 0.80),
    **dict.fromkeys((41, 42), 0.72),
    49: 0.90,
    100: 0.82,
    61: 0.85,
    62: 0.55,
    **dict.fromkeys((45, 46, 47, 48), 0.65),
    **dict.fromkeys((43, 44), 0.55),
}
OTHERS_WANTED = {
    "side": 0.99,
    "body_rq": 0.98,
    "instance_dice": 0.90,
    "body_instance_dice": 0.90,
    "instance_dice_at_best": "-",
    "refused": 0,
}


class Tally:
    """Voxel counts and instance figures of one region."""

    def __init__(self) -> None:
        self.voxels: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(3))
        self.sides = np.zeros(2)
        self.bodies = np.zeros(3)
        self.instances: list[float] = []
        self.body_instances: list[float] = []
        self.at_best: list[float] = []
        self.refused = 0

    def add(self, found: Found, case: SyntheticCase) -> None:
        """Compare one result with the truth."""
        truth = case.semantic.labels_zyx
        labels = np.where(plates(found.semantic), Structure.ENDPLATE, found.semantic)
        self.refused += bool(found.refused)
        for label in MODEL_STRUCTURES:
            a, b = labels == label, truth == label
            self.voxels[label] += ((a & b).sum(), a.sum(), b.sum())
        lateral = (truth >= 43) & (truth <= 48) & (labels >= 43) & (labels <= 48)
        self.sides += ((lateral & (truth % 2 == labels % 2)).sum(), lateral.sum())
        body = np.where(truth == BODY, case.instances.labels_zyx, 0)
        voxel_mm3 = float(np.prod(case.semantic.spacing_zyx_mm))
        counts = np.bincount(body.ravel(), minlength=30) * voxel_mm3
        cut = np.unique(np.concatenate([body[:, [0, -1]].ravel(), body[:, :, [0, -1]].ravel()]))
        true = [n for n in range(1, 30) if counts[n] >= LEAST_BODY_MM3 and n not in cut]
        single = np.where(
            (found.semantic == BODY) & (found.instances != SACRUM), found.instances, 0
        )
        seen = np.where(np.isin(body, true), body, 0)
        unscored = np.isin(body, true, invert=True) & (body > 0)
        mostly = 2 * np.bincount(single[unscored], minlength=300) > np.bincount(
            single.ravel(), minlength=300
        )
        whole = np.where(unscored | mostly[single], 0, single)
        _, *each = recognition_quality(seen, whole)
        self.bodies += each
        vertebrae = np.where(np.isin(truth, VERTEBRA), case.instances.labels_zyx, 0)
        is_found = np.isin(labels, VERTEBRA)
        owner = np.where(is_found, nearest_of(vertebrae, case.semantic.spacing_zyx_mm), 0)
        for number in true:
            vertebra = vertebrae == number
            near = np.bincount(found.instances[vertebra])
            near[0] = 0
            best = found.instances == near.argmax() if near.any() else np.zeros(truth.shape, bool)
            self.instances.append(dice(best & is_found, vertebra))
            self.body_instances.append(dice(best & (labels == BODY), body == number))
            self.at_best.append(dice(owner == number, vertebra))

    def figures(self) -> dict[str, object]:
        """Everything as plain numbers."""
        tp, fp, fn = self.bodies
        return {
            **{
                str(label): round(float(2 * both / (a + b)), 3)
                for label, (both, a, b) in self.voxels.items()
                if b > 0
            },
            "side": round(float(self.sides[0] / max(1, self.sides[1])), 4),
            "body_rq": round(float(tp / max(1, tp + fp / 2 + fn / 2)), 3),
            "body_tp_fp_fn": self.bodies.astype(int).tolist(),
            "instance_dice": round(float(np.mean(self.instances)), 3),
            "body_instance_dice": round(float(np.mean(self.body_instances)), 3),
            "instance_dice_at_best": round(float(np.mean(self.at_best)), 3),
            "refused": self.refused,
        }


def nearest_of(vertebrae: np.ndarray, spacing_zyx_mm: tuple[float, float, float]) -> np.ndarray:
    """Number of the nearest vertebra at every voxel."""
    nearest = distance_transform_edt(
        vertebrae == 0, sampling=spacing_zyx_mm, return_distances=False, return_indices=True
    )
    return vertebrae[tuple(nearest)]


def spines(region: str, count: int) -> list[SyntheticCase]:
    """Unseen spines of one region, each in both families."""
    first = FIRST_SEED + 1000 * list(REGIONS).index(region)
    turns = [list(SLICES_MM.items())[n % len(SLICES_MM)] for n in range(count)]
    return [
        generate(
            first + n,
            PhantomSettings(
                slices=round(WIDTH_MM / slice_mm),
                in_plane=(round(240 / IN_PLANE_MM), round(180 / IN_PLANE_MM)),
                spacing=(slice_mm, IN_PLANE_MM, IN_PLANE_MM),
                weightings=FAMILIES,
                region_odds=REGIONS[region],
                no_spine=0.0,
                scanner=Scanner(sub_slices=sub_slices),
            ),
        )
        for n, (slice_mm, sub_slices) in enumerate(turns)
    ]


def main() -> int:
    """Measure and print a table: label by region, and what it is held to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--semantic", type=Path, default=MODELS / "spine_t2w_compact")
    parser.add_argument("--instance", type=Path, default=MODELS / "vertebra_instance_compact")
    parser.add_argument("--spines", type=int, default=6, help="per region")
    parser.add_argument("--truth", action="store_true", help="phase 2 alone, on true label maps")
    parser.add_argument("--json", type=Path, help="also write everything here")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    semantic = load_semantic_model(arguments.semantic)
    instance = load_instance_model(arguments.instance)
    tallies: dict[str, Tally] = defaultdict(Tally)
    for region in REGIONS:
        for case in spines(region, arguments.spines):
            pairs = list(zip(FAMILIES, case.images, strict=True))
            for family, image in pairs[:1] if arguments.truth else pairs:
                phase_1 = case.semantic if arguments.truth else semantic
                if isinstance(phase_1, LabelMap):
                    native = phase_1.spacing_zyx_mm
                    spacing = semantic.config.target_spacing_zyx_mm(native)
                    phase_1 = resample_labels_to_spacing(phase_1, spacing)
                found = find(Volume(image.voxels_zyx, image.affine_lps), phase_1, instance)
                for name in (region, family, "all"):
                    tallies[name].add(found, case)
        sys.stdout.write(f"  {region}: {arguments.spines} spines\n")
        sys.stdout.flush()
    table = {name: tally.figures() for name, tally in tallies.items()}
    columns = [c for c in (*REGIONS, *FAMILIES, "all") if c in table]
    sys.stdout.write(
        f"{'label':21s} {'wanted':>7s} " + " ".join(f"{c:>9s}" for c in columns) + "\n"
    )
    rows = [str(n) for n in MODEL_STRUCTURES]
    for row in [*rows, *OTHERS_WANTED]:
        wanted = OTHERS_WANTED.get(row, WANTED.get(int(row)) if row.isdigit() else None)
        values = " ".join(f"{table[c].get(row, '-')!s:>9s}" for c in columns)
        sys.stdout.write(f"{row:21s} {wanted!s:>7s} {values}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

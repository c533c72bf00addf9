"""Figures on real lumbar spines of SPIDER: ``python -m tests.benchmarks.spider [--semantic DIR]``.

Runs both phases with post-processing on subjects of ``$SPINE_SHARED/data/spider`` that the bundled
models never saw (`HELD_OUT`), as they are (0.9 mm slices) and averaged to 3.6 mm, and prints the
figures beside those of SPINEPS on its own SPIDER test part (Möller et al. 2024,
doi 10.1007/s00330-024-11155-y, Table 2), which are other subjects: a scale, no comparison.

SPIDER (van der Graaf et al. 2024, doi 10.1038/s41597-024-03090-w, CC BY 4.0) marks vertebrae, canal
and discs. Scored over the whole image: vertebra = 41-50, canal = 60 and 61, disc = 100. Our end
plates (52, 53), of which some lies in its vertebrae and some in its discs, count as none.
``ends found``: share of the vertebra that is found in the first and last slice of the slab, where
all else averages what a reader sees at once, and ``middle found`` in the other slices.

Bodies as instances: SPIDER's vertebrae in front of the canal, cut at the discs. They are derived
here, so the paper has no figures for them. ``below`` counts the subjects with a vertebra below the
annotated ones (`accuracy.vertebrae_below`: part of the sacrum that is called a vertebra); ``few``
those whose lowest annotated body is mostly called something else; ``arches`` those in which two
neighbours hold each other's arches, ``processes`` those in which a vertebra holds a spinous process
that lies in the place of the next one up.

``--export DIR`` writes the same subjects in SPIDER's own layout instead, each in both thicknesses,
for ``spine-node train semantic --spider DIR --hold-out 034,055,081,142,191,241``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
import SimpleITK
import torch

from app.research.evaluation.detection import match_instances, recognition
from app.research.evaluation.overlap import dice
from app.research.evaluation.surface import average_symmetric_surface_distance
from operators.imaging.components import components
from operators.imaging.nifti import read_label_map, read_volume
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap, Volume, voxel_volume_mm3
from operators.networks.instances import load_instance_model
from operators.networks.semantic import load_semantic_model
from tests.benchmarks.accuracy import (
    PIR,
    arches_out_of_order,
    found_by_slice,
    processes_too_high,
    vertebrae_below,
)
from tests.benchmarks.real_volumes import (
    MODELS,
    Found,
    bodies_of,
    find,
    thick_labels,
    thick_slices,
)

HELD_OUT = ("034", "055", "081", "142", "191", "241")
"""Every fifth of the 30 subjects: never trained on."""

VERTEBRA, CANAL, DISC = 1, 2, 3
IN_SPIDER = {VERTEBRA: 1, CANAL: 100, DISC: 201}
THICKNESSES = {"SPACE": "0.9 mm", "thick": "3.6 mm"}
OURS = {"vertebra": tuple(range(41, 51)), "disc": (100,), "canal": (60, 61)}
THEIRS = {"vertebra": VERTEBRA, "disc": DISC, "canal": CANAL}
PAPER = {"vertebra": 0.938, "disc": 0.904, "canal": 0.934}
LEAST_BODY_MM3, LEAST_DISC_MM3 = 3000.0, 300.0
"""Less is a rest at the image's edge: a small lumbar body in a slab of 12 mm has 9,000 mm3, a
collapsed disc 600."""

Scores = dict[str, float]


def subjects(data: Path) -> list[str]:
    """Ids of the subjects in a folder, in order."""
    return sorted(path.name.split("_")[1] for path in data.glob("spider_*_img.nii.gz"))


def read(data: Path, subject: str, thickness: str) -> tuple[Volume, LabelMap]:
    """Image and labels of one subject, axes P, I, R."""
    image = reorient(read_volume(data / f"spider_{subject}_img.nii.gz"), PIR)
    labels = reorient(read_label_map(data / f"spider_{subject}_seg.nii.gz"), PIR)
    if thickness == "thick":
        return thick_slices(image), thick_labels(labels)
    return image, labels


def export(data: Path, folder: Path) -> None:
    """Write every subject in SPIDER's own layout, in both thicknesses."""
    table = np.zeros(max(IN_SPIDER) + 1, np.uint16)
    table[list(IN_SPIDER)] = list(IN_SPIDER.values())
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for subject in subjects(data):
        for thickness in THICKNESSES:
            image, labels = read(data, subject, thickness)
            name = f"{subject}_t2_{thickness}.mha"
            _write(image, folder / "images" / name)
            numbers = Volume(table[labels.labels_zyx], labels.affine_lps)
            _write(numbers, folder / "masks" / name)


def _write(volume: Volume, path: Path) -> None:
    turned = reorient(volume, ("R", "P", "I"))
    axes = turned.affine_lps[:3, 2::-1]  # ITK counts i, j, k
    spacing = np.linalg.norm(axes, axis=0)
    image = SimpleITK.GetImageFromArray(turned.voxels_zyx)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((axes / spacing).ravel().tolist())
    image.SetOrigin(turned.affine_lps[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(path), useCompression=True)


def annotated_bodies(labels: LabelMap) -> np.ndarray:
    """Number the annotated bodies from the top: vertebra in front of the canal, cut at the discs.

    The canal's front is the median over the slices at each height, carried on above and below it;
    a disc cuts along the plane of its two longest axes.
    """
    array, place = labels.labels_zyx, labels.affine_lps
    canal = array == CANAL
    fronts = np.where(canal.any(axis=2), canal.argmax(axis=2), -1)
    rows = np.flatnonzero((fronts >= 0).any(axis=0))
    front = [np.median(fronts[:, row][fronts[:, row] >= 0]) for row in rows]
    edge = np.interp(np.arange(array.shape[1]), rows, front)
    voxels = np.argwhere(array == VERTEBRA)
    voxels = voxels[voxels[:, 2] < edge[voxels[:, 1]]]
    level = np.ones(len(voxels), int)
    discs = components(array == DISC)
    for disc in range(1, discs.count + 1):
        mm = np.argwhere(discs.mask_of(disc)) @ place[:3, :3].T
        if len(mm) * voxel_volume_mm3(place) < LEAST_DISC_MM3:
            continue
        normal = np.linalg.eigh(np.cov(mm.T))[1][:, 0]
        normal *= np.sign(normal @ place[:3, 1])  # downwards
        level += (voxels @ place[:3, :3].T - mm.mean(axis=0)) @ normal > 0
    sizes = np.bincount(level) * voxel_volume_mm3(place)
    kept = np.flatnonzero(sizes >= LEAST_BODY_MM3)
    numbers = np.zeros(len(sizes), np.uint16)
    numbers[kept] = np.arange(1, len(kept) + 1)
    bodies = np.zeros(array.shape, np.uint16)
    bodies[tuple(voxels.T)] = numbers[level]
    return bodies


def score(found: Found, labels: LabelMap) -> Scores:
    """Dice and surface distance of the three structures; bodies as instances; the lower end."""
    scores: Scores = {}
    for name, ours in OURS.items():
        pair = labels.labels_zyx == THEIRS[name], np.isin(found.semantic, ours)
        scores[f"{name} dsc"] = dice(*pair)
        scores[f"{name} assd"] = average_symmetric_surface_distance(*pair, labels.affine_lps)
    scores["arches"] = float(arches_out_of_order(found.semantic, found.instances))
    scores["processes"] = float(processes_too_high(found.semantic, found.instances))
    scores |= found_by_slice(
        np.isin(found.semantic, OURS["vertebra"]), labels.labels_zyx == VERTEBRA
    )
    truth, single = annotated_bodies(labels), bodies_of(found)
    matching = match_instances(truth, single)
    ious = [match.iou for match in matching.matches]
    counts = recognition(ious, extra=len(matching.extra), missed=len(matching.missed))
    lowest = truth == truth.max()
    return scores | {
        "bodies": float(truth.max()),
        "body rq": counts.rq,
        "body dsc": float(np.mean([2 * iou / (1 + iou) for iou in ious])) if ious else 0.0,
        "body pq": counts.pq,
        "below": float(len(vertebrae_below(single, labels.labels_zyx == VERTEBRA))),
        "few": float(np.count_nonzero(single[lowest]) * 2 < np.count_nonzero(lowest)),
    }


def rows_of(table: dict[str, dict[str, Scores]]) -> list[tuple[str, ...]]:
    """Row, mean per thickness, the paper's figure."""
    keys = list(next(iter(next(iter(table.values())).values())))
    rows = []
    for key in keys:
        means = []
        for cases in table.values():
            values = [scores[key] for scores in cases.values()]
            means.append(
                f"{sum(value > 0 for value in values)} of {len(values)}"
                if key in {"below", "few", "arches", "processes"}
                else f"{np.mean(values):.3f}"
            )
        paper = PAPER.get(key.removesuffix(" dsc")) if key.endswith(" dsc") else None
        rows.append((key, *means, "-" if paper is None else f"{paper:.3f}"))
    return rows


def measure(arguments: argparse.Namespace, data: Path) -> dict[str, dict[str, Scores]]:
    """Run and score every subject in every thickness."""
    semantic = load_semantic_model(arguments.semantic)
    instance = load_instance_model(arguments.instance)
    table: dict[str, dict[str, Scores]] = {}
    for thickness in arguments.thickness:
        for subject in arguments.subjects:
            image, labels = read(data, subject, thickness)
            found = find(image, semantic, instance)
            scores = score(found, labels)
            table.setdefault(thickness, {})[subject] = scores
            told = " ".join(f"{key} {value:.3f}" for key, value in scores.items())
            sys.stdout.write(f"{subject} {THICKNESSES[thickness]} {found.seconds:.0f} s: {told}\n")
            sys.stdout.flush()
            if arguments.dump:
                arguments.dump.mkdir(parents=True, exist_ok=True)
                np.savez_compressed(
                    arguments.dump / f"{subject}-{thickness}.npz",
                    image=image.voxels_zyx.astype(np.float32),
                    truth=labels.labels_zyx,
                    semantic=found.semantic,
                    instances=found.instances,
                )
    return table


def main() -> int:
    """Measure and print the table, or export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--semantic", type=Path, default=MODELS / "spine_t2w_compact")
    parser.add_argument("--instance", type=Path, default=MODELS / "vertebra_instance_compact")
    parser.add_argument("--subjects", nargs="+", default=HELD_OUT)
    parser.add_argument("--thickness", nargs="+", default=list(THICKNESSES), choices=THICKNESSES)
    parser.add_argument("--export", type=Path, metavar="DIR", help="write SPIDER's layout here")
    parser.add_argument("--json", type=Path, help="also write everything here")
    parser.add_argument("--dump", type=Path, help="keep image and masks as npz in this folder")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    shared = os.environ.get("SPINE_SHARED")
    if not shared:
        sys.stderr.write("SPINE_SHARED is not set: no SPIDER subjects here\n")
        return 0
    data = Path(shared) / "data" / "spider"
    if arguments.export:
        export(data, arguments.export)
        return 0
    torch.set_num_threads(arguments.threads)
    table = measure(arguments, data)
    head = ("", *(THICKNESSES[t] for t in table), "paper")
    for row in (head, *rows_of(table)):
        sys.stdout.write("".join(f"{cell:14s}" for cell in row).rstrip() + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

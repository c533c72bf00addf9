"""Level names on synthetic and real masks: right, wrong, and wrong with confidence.

Run: ``python -m tests.benchmarks.level_names [--spines N] [--maps DIR] [--fused] [--wrong]
[--real DIR]``. No network takes part. True maps of whole synthetic spines (seeds from 980000;
numbers and weights were chosen on those from 970000) are cut to six fields of view, go through
post-processing like a network's answer, and are named. The spines have 4 or 6 lumbar vertebrae in
two of nine cases and T13 in 3 of 100, several times as often as people. So beside the share of
names that are right there are two others: among those that counting decides, by a rule on the true
levels in view (`level_counts.decided_by_counting`), and at the frequency of numerical variants in
418 patients with MRI of the whole spine (`level_counts.PREVALENCE`), each spine weighted by how
often people have as many vertebrae. With ``--fused`` one vertebra in view and the next are one in
the masks, at a place drawn for each field, as fused bones and mistakes of networks are; its right
name is the upper one's.

``--real`` names masks that ``real_volumes --dump`` or ``spider --dump`` kept: VB1, VB2 and IVD of
``$SPINE_SHARED/data/volumes`` and the SPIDER subjects that no model was trained on, whose levels
are known. No number was taken from them, but they were
looked at while rules and limits were written, so they are no blind check.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from operators.anatomy.labels import (
    DISC_OFFSET,
    L6_INSTANCE,
    SACRUM_INSTANCE,
    T13_INSTANCE,
    VERTEBRA_INSTANCES,
    Structure,
)
from operators.anatomy.vertebrae import LEVEL_NAMES, vertebrae_among
from operators.errors import SpineError
from operators.imaging.nifti import read_label_map
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap
from operators.spine.bodiless import without_bodiless
from operators.spine.levels.names import name_levels
from operators.spine.postprocessing import PostprocessSettings, postprocess
from tests.benchmarks import spider
from tests.benchmarks.accuracy import PIR
from tests.benchmarks.level_counts import (
    Named,
    count,
    decided_by_counting,
    is_usual,
    tell,
    vertebrae_of,
)
from tests.benchmarks.real_volumes import thick_labels
from tests.benchmarks.whole_spines import (
    MOST_SLICES,
    PROOF_SEED,
    Maps,
    cut_rows,
    cut_sides,
    whole_spine,
)

LEAST_SLICES = 14
AXIS, C5, C7, T1, T6, T12, L1, L3, L4, L5 = 2, 5, 7, 8, 13, 19, 20, 22, 23, 24
FIELDS = {
    "lumbar": (L3, (260, 320)),
    "sacral": (L4, (180, 220)),
    "cervical": (C5, (200, 260)),
    "thoracic": (T6, (200, 260)),
    "thoracolumbar": (T12, (280, 340)),
}
"""Level in the middle, and height in mm."""

FIRST_DISC = {"VB2": 25, "IVD": 25, "VB1": 26}
"""Level id plus the label: label 1 (VB1: 2) is L5, or the disc below it."""

S1 = 255
LEAST_VOXELS = 100


def fields_of(maps: Maps, rng: np.random.Generator) -> Iterator[tuple[str, Maps]]:
    """Cut the fields of view out of a whole spine."""
    semantic, instances = cut_sides(*maps, int(rng.integers(LEAST_SLICES, MOST_SLICES + 1)))
    body = np.where(semantic.labels_zyx == Structure.CORPUS, instances.labels_zyx, 0)
    step = semantic.spacing_zyx_mm[1]
    yield "whole", (semantic, instances)
    for name, (level, heights) in FIELDS.items():
        rows = np.flatnonzero((body == level).any(axis=(0, 2)))
        middle, height = rng.normal(0, 8), float(rng.uniform(*heights)) / step
        if rows.size:
            first = max(int(rows.mean() + middle - height / 2), 0)
            yield name, cut_rows(semantic, instances, slice(first, int(first + height)))


def named(semantic: LabelMap, truth: LabelMap) -> Named:
    """Post-process and name one field; empty where it is refused."""
    of_vertebra = np.isin(truth.labels_zyx, list(VERTEBRA_INSTANCES))
    raw = truth.with_labels(np.where(of_vertebra, truth.labels_zyx, 0).astype(np.uint16))
    try:
        raw, _ = without_bodiless(semantic, raw)
        result = postprocess(semantic, raw, PostprocessSettings(has_c1=True))
    except SpineError:
        return []
    final = result.instances.labels_zyx
    return [
        (int(np.bincount(truth.labels_zyx[final == vertebra]).argmax()), name)
        for vertebra, name in name_levels(result.semantic, result.instances).items()
    ]


def fused(truth: LabelMap, rng: np.random.Generator) -> LabelMap:
    """Give one vertebra, C2 or one below it, and the next the upper one's id."""
    labels = truth.labels_zyx
    pairs = [p for p in pairwise(vertebrae_among(np.unique(labels).tolist())) if p[0] >= AXIS]
    upper, lower = pairs[int(rng.integers(len(pairs)))]
    return truth.with_labels(np.where(labels == lower, upper, labels))


def tell_wrong(seed: int, field: str, names: Named, of_spine: set[int]) -> None:
    """Print a field with wrong names: truth, name, confidence; ``?`` where counting decides not."""
    levels = [truth for truth, _ in names]
    decided = decided_by_counting(levels)
    wrong = [
        f"{LEVEL_NAMES.get(truth, truth)}{'' if truth in decided else '?'} said {name.text} "
        f"{name.confidence:.2f}"
        for truth, name in names
        if name.level != truth
    ]
    if wrong:
        column = "usual" if is_usual(of_spine) else "variant"
        column += " with T13" * (T13_INSTANCE in of_spine) + " with L6" * (L6_INSTANCE in of_spine)
        column += " without L5" * (L5 not in of_spine)
        sys.stdout.write(f"{seed} {field}, {column}, {len(names)} in view: {', '.join(wrong)}\n")


def fields_to_name(chosen: argparse.Namespace) -> Iterator[tuple[int, str, Maps, set[int]]]:
    """Give every field with its seed and the ids of its person's bones."""
    for seed in range(chosen.first, chosen.first + chosen.spines):
        maps = whole_spine(seed, chosen.maps)
        of_spine = set(np.unique(maps[1].labels_zyx).tolist())
        for field, (semantic, truth) in fields_of(maps, np.random.default_rng(seed)):
            pair = np.random.default_rng([seed, len(field)])
            yield seed, field, (semantic, fused(truth, pair) if chosen.fused else truth), of_spine


def synthetic(chosen: argparse.Namespace) -> None:
    """Name the fields of many spines."""
    totals: dict[str, Counter[str]] = {}
    vertebrae: dict[int, int] = {}
    for seed, field, (semantic, truth), of_spine in fields_to_name(chosen):
        vertebrae[seed] = vertebrae_of(of_spine)
        names = named(semantic, truth)
        if not names:
            totals.setdefault(field, Counter())["refused"] += 1
            continue
        if chosen.wrong:
            tell_wrong(seed, field, names, of_spine)
        counts = count(names, of_spine)
        levels = {level for level, _ in names}
        has_end = 2 in levels or (truth.labels_zyx == SACRUM_INSTANCE).any()
        group = "sacrum or C2 in view" if has_end else "neither in view"
        for key in (field, group, f"{group}, no variant" if is_usual(of_spine) else ""):
            totals.setdefault(key, Counter()).update(counts)
    totals.pop("", None)
    for key, counts in totals.items():
        tell(key, counts, Counter(vertebrae.values()))
        if counts["refused"]:
            sys.stdout.write(f"  and {counts['refused']} fields refused\n")


def truth_of(stem: str, data: Path) -> LabelMap:
    """Level ids of the annotated bodies (IVD: of the vertebra above each disc)."""
    if stem[:3] not in FIRST_DISC:
        subject, thickness = stem.split("-")
        labels = spider.read(data / "spider", subject, thickness)[1]
        bodies = spider.annotated_bodies(labels).astype(np.int64)
        return labels.with_labels(
            np.where(bodies > 0, bodies + L5 - bodies.max(), 0).astype(np.uint16)
        )
    file = data / "volumes" / f"{stem}_seg.nii.gz"
    labels = thick_labels(reorient(read_label_map(file), PIR))
    values = labels.labels_zyx.astype(np.int64)
    is_level = (values > 0) & (values != S1)
    return labels.with_labels(
        np.where(is_level, FIRST_DISC[stem[:3]] - values, 0).astype(np.uint16)
    )


def real(folder: Path, data: Path) -> None:
    """Name kept masks of real images and compare with the annotated levels."""
    for path in sorted(folder.glob("*.npz")):
        if path.stem[:3] not in FIRST_DISC and path.stem.split("-")[0] not in spider.HELD_OUT:
            continue
        truth = truth_of(path.stem, data)
        kept = np.load(path)
        semantic, instances = (
            truth.with_labels(kept[name].astype(np.uint16)) for name in ("semantic", "instances")
        )
        words, wrong = [], 0
        for vertebra, name in name_levels(semantic, instances).items():
            is_disc = path.stem.startswith("IVD")
            label = vertebra + DISC_OFFSET if is_disc else vertebra
            is_own = (instances.labels_zyx == label) & (truth.labels_zyx > 0)
            seen = truth.labels_zyx[is_own & (is_disc | (semantic.labels_zyx == Structure.CORPUS))]
            is_wrong = seen.size > LEAST_VOXELS and np.bincount(seen).argmax() != name.level
            wrong += is_wrong
            words.append(f"{'!' if is_wrong else ''}{name.text} {name.confidence:.2f}")
        sys.stdout.write(f"{path.stem}: {wrong} wrong: {', '.join(words)}\n")


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spines", type=int, default=80)
    parser.add_argument("--first", type=int, default=PROOF_SEED, help="first seed")
    parser.add_argument("--maps", type=Path, help="folder in which whole spines are kept")
    parser.add_argument("--fused", action="store_true", help="two vertebrae of each field are one")
    parser.add_argument("--wrong", action="store_true", help="say which names are wrong")
    parser.add_argument("--real", type=Path, help="folder of kept masks")
    arguments = parser.parse_args()
    if arguments.spines:
        synthetic(arguments)
    shared = os.environ.get("SPINE_SHARED")
    if arguments.real is not None and shared:
        real(arguments.real, Path(shared) / "data")


if __name__ == "__main__":
    main()

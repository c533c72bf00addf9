"""Level names on synthetic and real masks: right, wrong, and wrong with confidence.

Run: ``python -m tests.benchmarks.level_names [--spines N] [--maps DIR] [--fused] [--wrong]
[--real DIR]``. No network takes part. True maps of whole synthetic spines (seeds from 980000;
numbers and weights were chosen on those from 970000) are cut to six fields of view, go through
post-processing like a network's answer, and are named. The spines have 4 or 6 lumbar vertebrae in
two of nine cases and T13 in 3 of 100, several times as often as people. With ``--fused`` one
vertebra in view and the next are one in the masks, at a place drawn for each field, as fused bones
and mistakes of networks are; its right name is the upper one's.

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

from operators.anatomy.columns import LUMBAR, THORACIC
from operators.anatomy.labels import (
    DISC_OFFSET,
    L6_INSTANCE,
    SACRUM_INSTANCE,
    T13_INSTANCE,
    VERTEBRA_INSTANCES,
    Structure,
)
from operators.anatomy.levels import PROBABLE_LEVEL, LevelName
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

VARIANTS = {"L6": L6_INSTANCE, "T13": T13_INSTANCE}
FIRST_DISC = {"VB2": 25, "IVD": 25, "VB1": 26}
"""Level id plus the label: label 1 (VB1: 2) is L5, or the disc below it."""

S1 = 255
LEAST_VOXELS = 100

Named = list[tuple[int, LevelName]]
"""True level and name of every vertebra of a field."""


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


def is_usual(of_spine: set[int]) -> bool:
    """Twelve thoracic and five lumbar vertebrae."""
    return L5 in of_spine and not of_spine & set(VARIANTS.values())


def decided_by_counting(levels: list[int]) -> set[int]:
    """Levels of a field that follow from what is in view by counting, whatever the person has.

    Cervical and thoracic ones are counted from C2 or from the first thoracic vertebra, lumbar ones
    from the last thoracic one. The topmost vertebra, which the border mostly cuts, shows no type.
    Nobody can count the others: above a sacrum, four lumbar vertebrae in view are L2 to L5 or L1 to
    L4, and the lowest rib is a twelfth or a thirteenth one. There, sizes and frequencies decide.
    """
    typed = set(levels if AXIS in levels else levels[1:])
    ribs = set(THORACIC)
    decided: set[int] = set()
    if AXIS in levels or {C7, T1} <= typed:
        decided |= {level for level in levels if level <= C7 or level in ribs}
    if typed & ribs and L1 in levels:
        decided |= {level for level in levels if level in set(LUMBAR)}
    return decided


def count(names: Named, of_spine: set[int]) -> Counter[str]:
    """Counts of one field: names by how right and how sure they are, and the variants."""
    counts: Counter[str] = Counter(fields=1)
    decided = decided_by_counting([truth for truth, _ in names])
    for truth, name in names:
        right = name.level == truth
        counts["decided"] += truth in decided
        counts["decided right"] += right and truth in decided
        counts["within reach"] += truth in decided or is_usual(of_spine)
        counts["names"] += 1
        counts["right"] += right
        counts["stated"] += name.is_certain
        counts["stated wrong"] += name.is_certain and not right
        counts["stated open"] += name.is_certain and truth not in decided
        counts["said"] += name.confidence >= PROBABLE_LEVEL
        counts["said right"] += right and name.confidence >= PROBABLE_LEVEL
    true, said = {truth for truth, _ in names}, [name.level for _, name in names]
    for variant, level in VARIANTS.items():
        counts[f"{variant} in view"] += level in true
        counts[f"{variant} found"] += level in true and level in said
        counts[f"{variant} invented"] += level not in of_spine and level in said
    has_last = "sacrum below the lowest vertebra" in names[0][1].evidence
    four = has_last and L5 not in of_spine
    counts["L4 last in view"] += four
    counts["L4 last found"] += four and said[-1] == L4
    counts["L4 last invented"] += has_last and not four and said[-1] == L4
    return counts


def tell(what: str, counts: Counter[str]) -> None:
    """Print one row."""
    names, said = max(counts["names"], 1), max(counts["said"], 1)
    variants = (
        f"{v} {counts[f'{v} found']}/{counts[f'{v} in view']} +{counts[f'{v} invented']}"
        for v in (*VARIANTS, "L4 last")
    )
    sys.stdout.write(
        f"{what:28s} {counts['fields']:5d} fields {counts['names']:5d} names: "
        f"right {counts['right'] / names:.4f}, stated {counts['stated'] / names:.4f}, "
        f"stated wrong {counts['stated wrong'] / names:.4f}, "
        f"stated though not counted {counts['stated open'] / names:.4f}, "
        f"stated or probable {counts['said'] / names:.4f}, "
        f"of these right {counts['said right'] / said:.4f}, "
        f"by counting {counts['decided'] / names:.4f}, of these right "
        f"{counts['decided right'] / max(counts['decided'], 1):.4f}, counting and the usual column "
        f"{counts['within reach'] / names:.4f} | {', '.join(variants)}\n"
    )


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
    for seed, field, (semantic, truth), of_spine in fields_to_name(chosen):
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
        tell(key, counts)
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

"""One name per bone over the stations of a study: how often, and how often it is the right one.

Run: ``python -m tests.benchmarks.level_stations [--spines N] [--maps DIR]``. No network takes part.
True maps of whole synthetic spines (seeds from 980000, as in ``level_names``) are cut to three
stations that overlap by two to four bones, each moved by up to 3 mm against the others as patients
move; each goes through post-processing like a network's answer. They are named alone, and
together. The ends are in view where C1 or C2 and the sacrum are, and named where each of the two
outer stations, alone, states most of its levels.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from operators.anatomy.labels import VERTEBRA_INSTANCES, Structure
from operators.anatomy.levels import LevelName
from operators.errors import SpineError
from operators.imaging.volume import LabelMap
from operators.spine.bodiless import without_bodiless
from operators.spine.levels.measures import SpineMeasures, measure_spine
from operators.spine.levels.names import name_stations
from operators.spine.levels.stations import Station, link
from operators.spine.postprocessing import PostprocessSettings, postprocess
from tests.benchmarks.whole_spines import PROOF_SEED, Maps, cut_rows, whole_spine

MOVED_MM = 3.0
LEAST_STATED = 0.5
MARGIN_MM = (4.0, 24.0)
"""Above the upper and below the lower of the outermost bones that are meant to be in view."""

Named = dict[int, LevelName]


def stations_of(maps: Maps, rng: np.random.Generator) -> list[Maps]:
    """Three fields from the top to the sacrum, neighbours with two to four bones in common."""
    semantic, instances = maps
    body = np.where(semantic.labels_zyx == Structure.CORPUS, instances.labels_zyx, 0)
    middles = sorted(
        np.flatnonzero((body == level).any(axis=(0, 2))).mean()
        for level in np.unique(body).tolist()
        if level in VERTEBRA_INSTANCES
    )
    step, rows = semantic.spacing_zyx_mm[1], body.shape[1]
    third = len(middles) // 3
    cuts = []
    for number in range(3):
        upper = max(number * third - int(rng.integers(1, 3)), 0)
        lower = min((number + 1) * third + int(rng.integers(0, 2)), len(middles) - 1)
        first = 0 if number == 0 else int(middles[upper] - rng.uniform(*MARGIN_MM) / step)
        last = rows if number == 2 else int(middles[lower] + rng.uniform(*MARGIN_MM) / step)
        cuts.append(cut_rows(semantic, instances, slice(max(first, 0), last)))
    return [_moved(cut, rng.uniform(-MOVED_MM, MOVED_MM, 3)) for cut in cuts]


def _moved(maps: Maps, by_mm: np.ndarray) -> Maps:
    def moved(labels: LabelMap) -> LabelMap:
        affine = labels.affine_lps.copy()
        affine[:3, 3] += by_mm
        return replace(labels, affine_lps=affine)

    return moved(maps[0]), moved(maps[1])


def measured(semantic: LabelMap, truth: LabelMap) -> tuple[SpineMeasures, dict[int, int]]:
    """Post-process and measure one station; true level by vertebra."""
    of_vertebra = np.isin(truth.labels_zyx, list(VERTEBRA_INSTANCES))
    raw = truth.with_labels(np.where(of_vertebra, truth.labels_zyx, 0).astype(np.uint16))
    raw, _ = without_bodiless(semantic, raw)
    result = postprocess(semantic, raw, PostprocessSettings(has_c1=True))
    final = result.instances.labels_zyx
    spine = measure_spine(result.semantic, result.instances)
    return spine, {
        v.vertebra: int(np.bincount(truth.labels_zyx[final == v.vertebra]).argmax())
        for v in spine.vertebrae
    }


def is_named(names: Named) -> bool:
    """Whether a station states most of its levels."""
    return sum(name.is_certain for name in names.values()) >= LEAST_STATED * len(names)


def count(names: list[Named], truths: list[dict[int, int]]) -> Counter[str]:
    """Counts of one study under one way to name it."""
    counts: Counter[str] = Counter()
    by_bone: dict[int, set[int]] = {}
    seen: Counter[int] = Counter()
    for named, truth in zip(names, truths, strict=True):
        for vertebra, name in named.items():
            level = truth[vertebra]
            counts["names"] += 1
            counts["right"] += name.level == level
            counts["stated"] += name.is_certain
            counts["stated wrong"] += name.is_certain and name.level != level
            by_bone.setdefault(level, set()).add(name.level)
            seen[level] += 1
    shared = [bone for bone, times in seen.items() if times > 1]
    counts["shared bones"] += len(shared)
    counts["with one name"] += sum(len(by_bone[bone]) == 1 for bone in shared)
    counts["studies of one name per bone"] += all(len(by_bone[bone]) == 1 for bone in shared)
    return counts


def tell(what: str, counts: Counter[str]) -> None:
    """Print one row."""
    names, shared = max(counts["names"], 1), max(counts["shared bones"], 1)
    sys.stdout.write(
        f"{what:36s} {counts['studies']:4d} studies, one name per bone in "
        f"{counts['studies of one name per bone']}; shared bones {counts['shared bones']}: "
        f"{counts['with one name'] / shared:.4f}; names {counts['names']}: "
        f"right {counts['right'] / names:.4f}, stated {counts['stated'] / names:.4f}, "
        f"stated wrong {counts['stated wrong'] / names:.4f}\n"
    )


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spines", type=int, default=60)
    parser.add_argument("--first", type=int, default=PROOF_SEED, help="first seed")
    parser.add_argument("--maps", type=Path, help="folder in which whole spines are kept")
    arguments = parser.parse_args()
    totals: dict[str, Counter[str]] = {}
    for seed in range(arguments.first, arguments.first + arguments.spines):
        maps = whole_spine(seed, arguments.maps)
        try:
            found = [measured(*cut) for cut in stations_of(maps, np.random.default_rng(seed))]
        except SpineError as error:
            sys.stdout.write(f"{seed}: refused: {error.code}\n")
            continue
        truths = [truth for _, truth in found]
        stations = [Station(spine, "1.2.3") for spine, _ in found]
        alone = [name_stations([station])[0] for station in stations]
        ends = is_named(alone[0]) and is_named(alone[-1])
        totals.setdefault("linked", Counter())["studies"] += len(link(stations)) == 1
        for way, names in (("alone", alone), ("together", list(name_stations(stations)))):
            counts = count(names, truths)
            for key in (way, f"{way}, both ends named" if ends else ""):
                totals.setdefault(key, Counter()).update(counts)
                totals[key]["studies"] += 1
    totals.pop("", None)
    sys.stdout.write(f"{totals.pop('linked')['studies']} of {totals['alone']['studies']} linked\n")
    for key, counts in totals.items():
        tell(key, counts)


if __name__ == "__main__":
    main()

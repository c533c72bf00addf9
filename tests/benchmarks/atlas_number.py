"""Is C1 number 1 where it is in view, and nothing else (``app/decisions/0014``)?

Run: ``python -m tests.benchmarks.atlas_number``. True maps of synthetic spines (seeds from 960000,
in no training) are cut at nine rows; no network takes part: the rule alone is measured. Counted are
fields by what their topmost vertebra is in truth and by the number it gets.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator

import numpy as np

from app.research.synthetic.phantom import PhantomSettings, generate
from operators.anatomy.labels import VERTEBRA_INSTANCES
from operators.anatomy.vertebrae import ATLAS_INSTANCE, vertebrae_among
from operators.errors import SpineError
from operators.imaging.volume import LabelMap
from operators.spine.bodiless import without_bodiless
from operators.spine.postprocessing import PostprocessSettings, postprocess
from tests.benchmarks.upper_edge import FIRST_SEED, REGIONS, cropped

ROWS = (0, 8, 20, 35, 50, 65, 80, 95, 110)
EVERY = {"cervical": 1, "thoracic": 2, "lumbar": 3}
"""One spine of each region for so many seeds: C1 is in view of cervical ones alone."""
EDGE_ROWS = 3
"""C1 that reaches so close to the upper edge counts as cut."""


def fields(spines: int) -> Iterator[tuple[LabelMap, LabelMap]]:
    """Semantic and instance truth of every field."""
    for seed in range(FIRST_SEED, FIRST_SEED + spines):
        for region, odds in REGIONS.items():
            if seed % EVERY[region]:
                continue
            settings = PhantomSettings(region_odds=odds, no_spine=0.0, weightings=("t2",))
            case = generate(seed, settings)
            for row in ROWS:
                yield cropped(case.semantic, row), cropped(case.instances, row)


def outcome(semantic: LabelMap, truth: LabelMap) -> tuple[str, str]:
    """Say what the topmost vertebra is, and its number."""
    labels = truth.labels_zyx
    wanted = np.isin(labels, list(VERTEBRA_INSTANCES))
    raw, _ = without_bodiless(
        semantic, truth.with_labels(np.where(wanted, labels, 0).astype(np.uint16))
    )
    try:
        result = postprocess(semantic, raw, PostprocessSettings(has_c1=True))
    except SpineError as error:
        return error.code, "refused"
    final = result.instances.labels_zyx
    top = vertebrae_among(np.unique(final).tolist())[0]
    if np.bincount(labels[final == top]).argmax() != ATLAS_INSTANCE:
        return "another vertebra", str(top)
    is_cut = (labels[:, :EDGE_ROWS] == ATLAS_INSTANCE).any()
    return "C1 at the edge" if is_cut else "C1", str(top)


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spines", type=int, default=40)
    spines = parser.parse_args().spines
    counts = Counter(outcome(*field) for field in fields(spines))
    for (what, number), count in sorted(counts.items()):
        sys.stdout.write(f"{what}: number {number} in {count} fields\n")


if __name__ == "__main__":
    main()

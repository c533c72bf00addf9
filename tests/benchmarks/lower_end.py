"""What becomes of a part of S1 called a vertebra, of a split L5, and of true lowest vertebrae.

Run: ``python -m tests.benchmarks.lower_end``. True maps of synthetic lumbar spines are spoiled on
purpose (`KINDS`) and post-processed; no network takes part, so that the rules alone are measured.
The constants of `operators.spine.lower_end` were chosen on seeds from 970000 and, after a look at
what they got wrong there, from 980000; this measures others. None trains. Half of the spines are
central slabs of 4 to 8 slices.

Counted per kind: what the piece ends as ("one vertebra": the lowest one is whole and has a number
of its own), and cases in which a true vertebra lost its number, to the sacrum or to its neighbour.
The last line gives the upper limit (95 %, Clopper and Pearson 1934) of the share of spines in which
that happens to any kind of case that is to be left alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

import numpy as np
from scipy.stats import beta

from operators.anatomy.labels import SACRUM_INSTANCE, Structure
from operators.errors import SpineError
from operators.imaging.volume import LabelMap
from operators.spine.bodiless import without_bodiless
from operators.spine.postprocessing import PostprocessSettings, postprocess
from tests.builders.spoiled_spine import (
    KEPT,
    KINDS,
    LEAST_MM3,
    TO_SACRUM,
    TO_VERTEBRA,
    Spoiled,
    cases_of,
)

FIRST_SEED = 990_000
SPINES = 200


def _most(numbers: np.ndarray) -> int:
    """Most frequent number but 0; 0 if there is none."""
    counts = np.bincount(numbers[numbers > 0], minlength=1)
    return int(counts.argmax())


def end_of(case: Spoiled) -> tuple[str, bool]:
    """What became of the piece or of the lowest vertebra, and whether a true body lost its number.

    Lost: to the sacrum, or to one number with another true vertebra.
    """
    spine = case.spine
    maps = LabelMap(case.parts, spine.affine), LabelMap(case.vertebrae, spine.affine)
    try:
        raw, _ = without_bodiless(*maps)
        final = postprocess(maps[0], raw, PostprocessSettings()).instances.labels_zyx
    except SpineError:
        return "refused", False
    places = [n for n in range(len(spine.column)) if spine.mm3(spine.body(n)) > LEAST_MM3]
    numbers = [_most(final[spine.body(n)]) for n in places]
    lost = SACRUM_INSTANCE in numbers or len(set(numbers)) < len(numbers)
    whole = final[spine.body(-1) & (case.parts == Structure.CORPUS)]
    if _most(final[case.piece]) == SACRUM_INSTANCE:
        return TO_SACRUM, lost
    in_one = np.count_nonzero(whole == _most(whole)) >= 0.95 * np.count_nonzero(whole)
    is_of_it = _most(final[case.piece]) == _most(whole)
    return (TO_VERTEBRA if in_one and is_of_it else "a number of its own"), lost


def upper_limit(events: int, cases: int) -> float:
    """One-sided 95 % limit of a share (Clopper and Pearson 1934)."""
    return float(beta.ppf(0.95, events + 1, cases - events)) if events < cases else 1.0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spines", type=int, default=SPINES)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    arguments = parser.parse_args()
    totals: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    losses: list[bool] = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.spines):
        told = [(kind, *end_of(case)) for kind, case in cases_of(seed)]
        for kind, end, lost in told:
            totals[kind] += Counter({end: 1, "cases": 1, "lost": int(lost)})
        if told:
            losses.append(any(lost for kind, _, lost in told if KINDS[kind][0] == KEPT))
    ends = (TO_SACRUM, TO_VERTEBRA, "a number of its own", "refused")
    head = ("cases", *ends, "true vertebra lost")
    sys.stdout.write(f"{'kind':31s}{'wanted':14s}" + "  ".join(head) + "\n")
    for kind, (wanted, _) in KINDS.items():
        total = totals[kind]
        counts = [total["cases"], *(total[end] for end in ends), total["lost"]]
        cells = (f"{n:{len(name)}d}" for n, name in zip(counts, head, strict=True))
        sys.stdout.write(f"{kind:31s}{wanted:14s}" + "  ".join(cells) + "\n")
    sys.stdout.write(
        f"spines with a true vertebra lost that was to be left alone: {sum(losses)} of "
        f"{len(losses)}, 95 % limit {upper_limit(sum(losses), len(losses)):.4f}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

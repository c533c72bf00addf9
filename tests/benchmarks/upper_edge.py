"""What becomes of vertebrae whose body lies above the image.

Run: ``python -m tests.benchmarks.upper_edge``. True maps of synthetic spines (seeds from 960000, in
no training) are cut at rows between the bodies, so that arch and processes of the vertebra above
stay in view without their body. No network takes part: the instances are the true ones ("told
apart") or the true ones without those vertebrae ("not answered"), so that the rules alone are
measured. Counted are the voxels of such vertebrae after post-processing: an instance of their own,
no instance, or the instance of a vertebra below.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator

import numpy as np

from app.research.synthetic.phantom import PhantomSettings, generate
from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure
from operators.errors import SpineError
from operators.imaging.volume import LabelMap, voxel_volume_mm3
from operators.spine.bodiless import LEAST_BODY_MM3, without_bodiless
from operators.spine.postprocessing import PostprocessSettings, postprocess

FIRST_SEED = 960_000
REGIONS = {"cervical": (1.0, 0, 0, 0), "thoracic": (0, 1.0, 0, 0), "lumbar": (0, 0, 0.6, 0.4)}
CUTS = 6
MODES = ("told apart", "not answered")
ARTICULARS = (Structure.SUPERIOR_ARTICULAR_LEFT, Structure.SUPERIOR_ARTICULAR_RIGHT)


def cropped(labels: LabelMap, row: int) -> LabelMap:
    """Map below a row; arrays are [R, I, P]."""
    affine = labels.affine_lps.copy()
    affine[:3, 3] += affine[:3, 1] * row
    return LabelMap(np.ascontiguousarray(labels.labels_zyx[:, row:]), affine)


def cut_pairs(seed: int, odds: tuple[float, ...]) -> Iterator[tuple[LabelMap, LabelMap]]:
    """Semantic and instance truth, cut at several rows."""
    case = generate(seed, PhantomSettings(region_odds=odds, no_spine=0.0, weightings=("t2",)))
    rows = np.linspace(5, 90, CUTS).astype(int)
    for row in rows:
        yield cropped(case.semantic, int(row)), cropped(case.instances, int(row))


def bodies_of(semantic: LabelMap, instances: LabelMap) -> dict[int, float]:
    """Visible body of each vertebra, mm3."""
    raw = instances.labels_zyx
    numbers = [int(n) for n in np.unique(raw) if 0 < n < 26 or n == 28]
    body = semantic.labels_zyx == Structure.CORPUS
    voxel = voxel_volume_mm3(semantic.affine_lps)
    return {n: float(np.count_nonzero(body & (raw == n)) * voxel) for n in numbers}


def ends_of(semantic: LabelMap, instances: LabelMap, mode: str) -> Counter[str]:
    """Voxels of vertebrae above the image by what became of them."""
    visible = bodies_of(semantic, instances)
    truth = instances.labels_zyx
    with_body = [n for n, size in visible.items() if size >= LEAST_BODY_MM3]
    first = min(with_body, default=0)
    above = [n for n in visible if n < first]
    parts = np.isin(semantic.labels_zyx, POSTERIOR_ELEMENTS)
    cut = parts & np.isin(truth, above)
    if not with_body or not cut.any():
        return Counter()
    wanted = with_body + (above if mode == MODES[0] else [])
    raw = instances.with_labels(np.where(np.isin(truth, wanted), truth, 0).astype(np.uint16))
    try:
        raw, _ = without_bodiless(semantic, raw)
        result = postprocess(semantic, raw, PostprocessSettings())
    except SpineError:
        return Counter(refused=1)
    final = result.instances.labels_zyx
    below = set(np.unique(final[np.isin(truth, with_body) & (final > 0)]).tolist())
    found = final[cut]
    return Counter(
        cuts=1,
        nothing=int(np.count_nonzero(found == 0)),
        wrong=int(np.isin(found, list(below)).sum()),
        own=int(np.count_nonzero(found) - np.isin(found, list(below)).sum()),
    )


def reach_above_mm(semantic: LabelMap, instances: LabelMap) -> list[float]:
    """How far superior articular processes rise above their own body."""
    truth, step = instances.labels_zyx, float(np.linalg.norm(instances.affine_lps[:3, 1]))
    reaches = []
    for number, size in bodies_of(semantic, instances).items():
        rows = np.flatnonzero(
            ((semantic.labels_zyx == Structure.CORPUS) & (truth == number)).any(axis=(0, 2))
        )
        own = np.isin(semantic.labels_zyx, ARTICULARS) & (truth == number)
        tops = np.flatnonzero(own.any(axis=(0, 2)))
        if size >= LEAST_BODY_MM3 and rows.size and tops.size and tops[0] > 0:
            reaches.append(float(rows[0] - tops[0]) * step)
    return reaches


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spines", type=int, default=10, help="per region")
    arguments = parser.parse_args()
    sys.stdout.write(
        f"{'region':10s} {'instances':13s}  cuts  own  nothing  given to a bone below\n"
    )
    reaches: list[float] = []
    for region, odds in REGIONS.items():
        totals: dict[str, Counter[str]] = {mode: Counter() for mode in MODES}
        for n in range(arguments.spines):
            for pair in cut_pairs(FIRST_SEED + n, odds):
                reaches += reach_above_mm(*pair)
                for mode in MODES:
                    totals[mode] += ends_of(*pair, mode)
        for mode, total in totals.items():
            voxels = max(total["own"] + total["nothing"] + total["wrong"], 1)
            shares = [f"{total[name] / voxels:.3f}" for name in ("own", "nothing", "wrong")]
            sys.stdout.write(f"{region:10s} {mode:13s} {total['cuts']:5d}  {'   '.join(shares)}\n")
            sys.stdout.flush()
    limits = np.percentile(reaches, [50, 95, 99, 100])
    told = ", ".join(f"{limit:.1f}" for limit in limits)
    sys.stdout.write(
        f"superior articular processes above their body, mm (50, 95, 99, 100 %): {told}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

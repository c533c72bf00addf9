"""Whole synthetic spines as true maps, and fields of view cut out of them.

One spine of 744 mm is drawn once; lumbar, thoracic, cervical and whole fields are parts of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.research.synthetic.acquisition import Scanner
from app.research.synthetic.phantom import PhantomSettings, generate
from operators.imaging.volume import LabelMap

if TYPE_CHECKING:
    from pathlib import Path

FIT_SEED, PROOF_SEED = 970_000, 980_000
"""First seeds: of what numbers and weights are chosen on, and of what they are proved on."""

MOST_SLICES = 20
SETTINGS = PhantomSettings(
    slices=MOST_SLICES,
    in_plane=(620, 200),
    spacing=(3.6, 1.2, 1.2),
    weightings=("t2",),
    no_spine=0.0,
    centred_on="T8",
    scanner=Scanner(sub_slices=1),
)

Maps = tuple[LabelMap, LabelMap]


def whole_spine(seed: int, folder: Path | None = None) -> Maps:
    """Semantic and instance truth, [R, I, P]; taken from a folder if it is there, else kept in it.

    Levels are true: 28 is T13 and 25 is L6; C1 is 1.
    """
    kept = folder / f"{seed}.npz" if folder is not None else None
    if kept is not None and kept.exists():
        maps = np.load(kept)
        return tuple(LabelMap(maps[name], maps["affine"]) for name in ("semantic", "instances"))
    case = generate(seed, SETTINGS)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            kept,
            semantic=case.semantic.labels_zyx,
            instances=case.instances.labels_zyx,
            affine=case.semantic.affine_lps,
        )
    return case.semantic, case.instances


def cut_sides(semantic: LabelMap, instances: LabelMap, slices: int) -> Maps:
    """Keep the middle slices."""
    first = (semantic.labels_zyx.shape[0] - slices) // 2
    kept = slice(first, first + slices)
    return _cut(semantic, kept, slice(None)), _cut(instances, kept, slice(None))


def cut_rows(semantic: LabelMap, instances: LabelMap, rows: slice) -> Maps:
    """Keep some rows."""
    return _cut(semantic, slice(None), rows), _cut(instances, slice(None), rows)


def _cut(labels: LabelMap, slices: slice, rows: slice) -> LabelMap:
    affine = labels.affine_lps.copy()
    affine[:3, 3] += affine[:3, 0] * (slices.start or 0) + affine[:3, 1] * (rows.start or 0)
    return LabelMap(np.ascontiguousarray(labels.labels_zyx[slices, rows]), affine)

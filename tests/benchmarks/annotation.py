"""Spoiled sources against what is merged of them: ``python -m tests.benchmarks.annotation``.

Synthetic spines with known truth; three sources that each know some structures and are wrong on
purpose, as their real counterparts are:

- *body network* (body, disc, canal, sacrum): discs too thin by a voxel above, the cord called
  canal, bites out of bodies and discs (balls of 12 mm where nothing is found), and the processes
  next to a body called body;
- *cord tool* (cord): over the border of the cord, in half of the voxels there;
- *translated CT* (posterior elements, bodies): moved by one voxel to the back and one down, bodies
  too small by a voxel all around in the plane.

Merged as the recipe of `docs/researcher.md` says. Dice per structure, pooled over all spines.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from app.research.annotation.annotating import Annotation
from app.research.annotation.endplates import fill_endplates
from app.research.annotation.merging import merge
from app.research.annotation.recipe import Source
from app.research.synthetic.phantom import PhantomSettings, generate
from operators.anatomy.labels import MODEL_STRUCTURES, POSTERIOR_ELEMENTS, Structure
from operators.imaging.volume import LabelMap

if TYPE_CHECKING:
    from pathlib import Path

FIRST_SEED = 940_000
SETTINGS = PhantomSettings(
    slices=14, in_plane=(260, 180), spacing=(3.3, 1.0, 1.0), weightings=("t2",), no_spine=0.0
)
BODY, DISC, CANAL, CORD, SACRUM, ENDPLATE = 49, 100, 61, 60, 26, 62
IN_PLANE = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], bool)
WIDEST_MM = 4.0
BITES, BITE_MM = 3, 12.0
CENTRES = ("C5", "T7", "L3")
"""Levels in the middle of the field, in turn."""
RECIPE = (
    ("cord tool", (CORD,)),
    ("body network", (BODY, DISC, SACRUM)),
    ("translated CT", (*POSTERIOR_ELEMENTS, BODY)),
    ("body network", (CANAL,)),
)
"""Sources by name, highest priority first, and what is taken of each."""


def spoiled(truth: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Three sources' masks [R, I, P] of one spine."""
    return {
        "body network": body_network(truth, rng),
        "cord tool": cord_tool(truth, rng),
        "translated CT": translated_ct(truth),
    }


def body_network(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = np.where(np.isin(truth, (BODY, SACRUM)), truth, 0)
    disc = truth == DISC
    drawn[disc & np.roll(disc, 1, axis=1)] = DISC
    drawn[np.isin(truth, (CANAL, CORD))] = CANAL
    bleeding = np.isin(truth, POSTERIOR_ELEMENTS) & binary_dilation(truth == BODY, IN_PLANE)
    drawn[bleeding] = BODY
    column = np.argwhere(np.isin(truth, (BODY, DISC)))
    for centre in rng.choice(column, BITES):
        away = (np.indices(truth.shape).T - centre) * SETTINGS.spacing
        drawn[((away**2).sum(axis=-1).T < BITE_MM**2) & np.isin(drawn, (BODY, DISC))] = 0
    return drawn


def cord_tool(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    cord = truth == CORD
    wide = binary_dilation(cord, IN_PLANE) & (rng.random(truth.shape) < 0.5)
    return np.where(cord | wide, CORD, 0).astype(truth.dtype)


def translated_ct(truth: np.ndarray) -> np.ndarray:
    moved = np.roll(truth, (1, 1), axis=(1, 2))
    drawn = np.where(np.isin(moved, POSTERIOR_ELEMENTS), moved, 0).astype(truth.dtype)
    drawn[binary_erosion(moved == BODY, IN_PLANE)] = BODY
    return drawn


def merged(masks: dict[str, np.ndarray], affine: np.ndarray) -> Annotation:
    """Merge as `RECIPE` says."""
    layers = [
        (_source(number, name, take), masks[name].astype(np.uint16))
        for number, (name, take) in enumerate(RECIPE, 1)
    ]
    found = merge(next(iter(masks.values())).shape, layers)
    labels = fill_endplates(LabelMap(found.labels, affine), WIDEST_MM)
    return Annotation(labels, found)


def _source(number: int, name: str, take: tuple[int, ...], masks: Path | None = None) -> Source:
    return Source(
        number=number,
        name=name,
        masks=masks,  # type: ignore[arg-type]  # nothing is read here
        take=frozenset(take),
        scheme=None,
        optional=False,
        resample=False,
    )


def measured(seeds: range) -> dict[str, dict[int, float]]:
    """Dice by method and structure; a method that draws nothing of a structure has 0."""
    overlap: dict[str, dict[int, np.ndarray]] = {}
    for seed in seeds:
        case = generate(seed, replace(SETTINGS, centred_on=CENTRES[seed % len(CENTRES)]))
        truth = case.semantic.labels_zyx
        masks = spoiled(truth, np.random.default_rng(seed))
        masks["merged"] = merged(masks, case.semantic.affine_lps).labels.labels_zyx
        for name, mask in masks.items():
            for label in MODEL_STRUCTURES:
                ours, true = mask == label, truth == label
                counts = np.array([2 * np.sum(ours & true), ours.sum() + true.sum()])
                of = overlap.setdefault(name, {})
                of[label] = of.get(label, 0) + counts
    return {
        name: {label: float(a / b) if b else float("nan") for label, (a, b) in of.items()}
        for name, of in overlap.items()
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spines", type=int, default=20)
    count = parser.parse_args(arguments).spines
    found = measured(range(FIRST_SEED, FIRST_SEED + count))
    means = {name: float(np.nanmean(list(of.values()))) for name, of in found.items()}
    own = {name: [n for n, dice in of.items() if dice > 0] for name, of in found.items()}
    said = {name: mean_of(found[name], labels) for name, labels in own.items()}
    same = {name: mean_of(found["merged"], labels) for name, labels in own.items()}
    rows = [
        " " * 25 + "".join(f"{name:>15}" for name in found),
        *(
            f"{Structure(label).name.lower():25}"
            + "".join(f"{o[label]:>15.3f}" for o in found.values())
            for label in MODEL_STRUCTURES
        ),
        *(
            f"{title:25}" + "".join(f"{mean:>15.3f}" for mean in of.values())
            for title, of in (
                ("mean", means),
                ("mean of what it draws", said),
                ("merged, of the same", same),
            )
        ),
    ]
    sys.stdout.write("\n".join(rows) + "\n")
    return int(any(same[name] < said[name] - 0.001 for name in found))


def mean_of(dice: dict[int, float], labels: list[int]) -> float:
    return float(np.mean([dice[label] for label in labels]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The synthetic studies on which the quality gate is measured: true masks under their image."""

from __future__ import annotations

import app.research.synthetic.phantom as generator
from app.research.synthetic.acquisition import Scanner
from app.research.synthetic.phantom import PhantomSettings
from tests.builders.spoiled_results import Result

CENTRES = ("L3", "T7", "C5", "L2")
"""Levels on which the fields are planned, in turn."""
GRIDS = (
    {"slices": 22, "spacing": (3.3, 1.2, 1.2), "in_plane": (208, 144)},
    {"slices": 18, "spacing": (4.0, 0.9, 0.9), "in_plane": (278, 192)},
)
NARROW_MM = 59.0


def spine(
    seed: int, weighting: str = "t2_plain", *, implants: bool = False, hard: bool = False
) -> Result:
    """One synthetic spine: true masks and an image; hard: a narrow stack with artefacts."""
    generator.IMPLANTED = float(implants)
    grid = GRIDS[seed // len(CENTRES) % len(GRIDS)]
    if hard:
        grid = grid | {"slices": round(NARROW_MM / grid["spacing"][0])}
    case = generator.generate(
        seed,
        PhantomSettings(
            no_spine=0.0,
            weightings=(weighting,),
            centred_on=CENTRES[seed % len(CENTRES)],
            scanner=Scanner(sub_slices=1, artefacts=float(hard)),
            **grid,
        ),
    )
    return Result(case.semantic, case.instances, case.images[0])

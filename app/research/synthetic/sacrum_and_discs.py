"""Paint and label the sacrum and the discs.

A disc fills what is left between two endplates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from app.research.synthetic.bodies import (
    Surfaces,
    note_height,
    paint_body,
    paint_endplates,
    wear_of,
)
from app.research.synthetic.frames import vertebra_frame
from app.research.synthetic.primitives import ellipsoid, rounded_box, superellipse
from operators.anatomy.labels import DISC_OFFSET, ENDPLATE_OFFSET, SACRUM_INSTANCE, Structure

if TYPE_CHECKING:
    import numpy as np

    from app.research.synthetic.canvas import Canvas
    from app.research.synthetic.contrast import Contrast
    from app.research.synthetic.subject import Subject


RIM_MM = 0.5
"""Outermost fibres of the annulus and the ligaments on them, which readers leave out."""

OVERHANG_MM = 1.0
"""How far a disc that is wider than a body laps over its edge."""


def paint_sacral(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject, k: int
) -> None:
    """Paint one sacral level: tapered body, wings, back wall and crest, all one label."""
    h, depth, width = (float(x[k]) for x in (subject.height, subject.depth, subject.width))
    half_a, half_w = depth / 2, width / 2
    kc, sc = float(subject.canal_ap[k]) / 2, subject.scale
    frame = vertebra_frame(
        rng,
        canvas,
        subject,
        subject.curve.level_s[k],
        (half_a + 8, half_a + 2 * kc + 26, 0.5 * h + 12, 0.5 * h + 12),
    )
    if frame is None:
        return
    a, b, c = frame.place
    taper = (1 - 0.12 * (b / h)).clamp_(0.8, 1.2)
    side = superellipse(a, c, (half_a * taper, half_w * taper), 2.3)
    surfaces = Surfaces(side, -b - h / 2, b - h / 2 - 0.5)
    note_height(canvas, frame, surfaces)
    first = subject.levels[k].name == "S1"
    wall = rounded_box(
        frame.place, (half_a + 2 * kc + 4, 0, 0), (3.5 * sc, h / 2 + 2, max(half_w * 0.55, 5)), 3
    )
    crest = rounded_box(
        frame.place,
        (half_a + 2 * kc + 7 + subject.spinous_length[k] / 2, 2, 0),
        (subject.spinous_length[k] / 2 + 3, max(subject.spinous_half_height[k], 2) + 2, 3.5),
        3,
    )
    bone = torch.minimum(wall, crest)
    for side_sign in (-1, 1):
        wing = rounded_box(
            frame.place,
            (half_a * 0.5, 0, side_sign * (half_w + 14)),
            (half_a * 0.9 + 3, h / 2 + 1, 17),
            6,
        )
        link = rounded_box(
            frame.place, (half_a + kc, 0, side_sign * (half_w * 0.62 + 3)), (kc + 4, h * 0.36, 6), 3
        )
        bone = torch.minimum(bone, torch.minimum(wing, link))
    canvas.paint(bone, contrast["cortex"], frame.box, inner=0.3)
    canvas.paint(bone, contrast["marrow"], frame.box, inner=-1.0)
    plates = paint_endplates(
        rng, canvas, contrast, frame, surfaces, (subject.disc[k - 1] if first else 0.0, 0.0)
    )
    paint_body(rng, canvas, contrast, frame, surfaces, wear_of(subject, k))
    labels = canvas.labels[frame.box]
    free = (labels != Structure.CANAL) & (labels != Structure.CORD)
    canvas.label(
        (torch.minimum(bone, surfaces.body) < 0) & free,
        Structure.SACRUM,
        SACRUM_INSTANCE,
        frame.box,
    )
    for mask in plates:
        keep = mask & (labels != Structure.SACRUM) & free
        owner = subject.levels[k - 1].instance  # of the disc above, as SPINEPS numbers them
        canvas.label(keep, Structure.ENDPLATE, ENDPLATE_OFFSET + owner, frame.box)


def paint_disc(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject, k: int
) -> None:
    """Paint and label the disc below level k; between sacral levels it belongs to the sacrum."""
    if subject.disc[k] <= 0:
        return
    gap, worn = float(subject.disc[k]), float(subject.degeneration[k])
    s = subject.curve.level_s[k] + subject.height[k] / 2 + gap / 2
    sacral = subject.levels[k].region == "S"
    last = subject.levels[k + 1].name == "S1"
    half_a = subject.depth[k] * 0.485 if last else (subject.depth[k] + subject.depth[k + 1]) / 4
    half_a, half_w = float(half_a), float(subject.width[k] + subject.width[k + 1]) / 4 * 0.98
    tall = gap / 2 + 5.5
    frame = vertebra_frame(rng, canvas, subject, s, (half_a + 6, half_a + 12, tall + 3, tall + 3))
    if frame is None:
        return
    a, b, c = frame.place
    bulge = 1 + rng.uniform(-0.02, 0.07) + rng.uniform(0.02, 0.11) * worn
    side = superellipse(a, c, (half_a * bulge, half_w * bulge), 2.3)
    back = half_a * (0.97 + 0.05 * (c / half_w) ** 2) + (
        rng.uniform(0, 2.2 + 1.5 * worn) if rng.random() < 0.35 + 0.3 * worn else 0
    )
    disc = torch.maximum(torch.maximum(side, a - back), b.abs() - tall)
    # A worn or waisted body leaves room beside it, but a disc doesn't climb along its walls.
    disc = torch.maximum(disc, -OVERHANG_MM - canvas.bodies[frame.box])
    if rng.random() < 0.18 + 0.2 * worn and not sacral:
        size = rng.uniform(2, 6)
        centre = (half_a, rng.normal(0, 1.5), rng.normal(0, 5))
        disc = torch.minimum(disc, ellipsoid(frame.place, centre, (size, gap / 2 + 1, size * 1.8)))
    labels = canvas.labels[frame.box]
    taken = (labels >= Structure.ARCUS) & (labels <= Structure.CORPUS)
    taken |= (labels == Structure.ENDPLATE) | (labels == Structure.SACRUM)
    disc = torch.where(taken, disc.clamp(min=0.6), disc)
    canvas.paint(disc, contrast["annulus"], frame.box)
    core = ellipsoid(
        frame.place,
        (0.04 * half_a, 0, 0),
        (
            rng.uniform(0.5, 0.8) * half_a,
            gap * rng.uniform(0.45, 0.9),
            rng.uniform(0.55, 0.78) * half_w,
        ),
    )
    bright = contrast["nucleus"] * (1 - 0.88 * worn**0.8) + 0.6 * contrast["annulus"]
    canvas.paint(torch.maximum(core, disc + 0.5), bright, frame.box)
    if rng.random() < 0.35:
        cleft = torch.maximum(b.abs() - rng.uniform(0.3, 0.8), core + 2)
        canvas.paint(torch.maximum(cleft, disc + 0.5), contrast["annulus"], frame.box)
    number = SACRUM_INSTANCE if sacral else DISC_OFFSET + subject.levels[k].instance
    canvas.label(
        (disc < -RIM_MM) & ~taken, Structure.SACRUM if sacral else Structure.DISC, number, frame.box
    )

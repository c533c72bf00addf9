"""Vertebral bodies and their endplates: surfaces and paint.

An endplate is the slab of 1.0-1.6 mm on the body's end surface, outside of label 49.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.synthetic.primitives import ellipsoid, rounded_box, superellipse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.synthetic.canvas import Canvas
    from app.synthetic.contrast import Contrast
    from app.synthetic.frames import Frame
    from app.synthetic.subject import Subject

    Array = NDArray[np.floating]

_WAIST = {"C": 0.049, "T": 0.098, "L": 0.098, "S": 0.042}
_ENDPLATE_EXTRA = 0.25


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Distances to a body's side and its two end surfaces, mm, negative inside the body."""

    side: Array
    upper: Array
    lower: Array

    @property
    def body(self) -> Array:
        """Distance to the body."""
        return np.maximum(self.side, np.maximum(self.upper, self.lower))


def body_surfaces(rng: np.random.Generator, subject: Subject, k: int, frame: Frame) -> Surfaces:
    """Shape of the body of level k: waist, osteophytes, concave or wedged end surfaces, uncus."""
    region = subject.levels[k].region
    h, half_a, half_w = subject.height[k], subject.depth[k] / 2, subject.width[k] / 2
    wedge = subject.wedge[k]
    a, b, c = frame.place
    relative = np.clip(np.abs(2 * b / h), 0, 1.2)
    waist = 1 - _WAIST[region] * (1 - relative**2)
    waist = waist * (1 + 0.05 * subject.age * rng.uniform(0, 1.5) * relative**6)
    narrow = waist - (0.0 if region == "C" else rng.uniform(0, 0.10)) * (1 - relative**2)
    side = superellipse(a, c, (half_a * waist, half_w * narrow), 2.8 if region == "C" else 2.3)
    back = a - half_a * (0.93 + 0.10 * (c / half_w) ** 2) * waist
    side = np.maximum(side, back)
    flat = np.clip((a / half_a) ** 2 + (c / half_w) ** 2, 0, 1)
    hollow = rng.uniform(0.4, 1.6) * (0.5 if region == "C" else 1) * (1 + 1.2 * wedge)
    hollow = hollow * subject.scale * h / 22
    top = h / 2 - hollow * (1 - flat) - 0.35 * wedge * h * np.clip(0.5 - a / (2 * half_a), 0, 1)
    if region == "C":
        top = top + 2.5 * subject.scale * np.clip(np.abs(c / half_w), 0, 1) ** 4
    behind = np.clip(0.5 + a / (2 * half_a), 0, 1)
    bottom = h / 2 - rng.uniform(0.6, 1.2) * hollow * (1 - flat) - subject.lordotic[k] * h * behind
    return Surfaces(side, -b - top, b - bottom)


def draw_marrow(rng: np.random.Generator, contrast: Contrast) -> Array:
    """Brightness of one vertebra's marrow per rendering, shape (N,)."""
    bright = contrast["marrow"] * (1 + rng.normal(0, 0.06))
    return bright.astype(np.float32)


def paint_body(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, frame: Frame, surfaces: Surfaces
) -> None:
    """Paint cortex, marrow and, on some, venous cleft, Modic-like band or focal lesion."""
    body = surfaces.body
    canvas.paint(body, contrast["cortex"], frame.box, inner=0.35)
    shape = body.shape
    grain = rng.standard_normal(shape, dtype=np.float32) * rng.uniform(0.02, 0.12)
    marrow = draw_marrow(rng, contrast)[:, None, None, None] * (1 + grain)
    canvas.paint(body, marrow, frame.box, inner=-float(rng.uniform(0.5, 1.2)))
    if rng.random() < 0.7:
        cleft = rounded_box(
            frame.place, (float(frame.a[body < 0].max(initial=0)) - 3, 0, 0), (5, 1.2, 5), 1.0
        )
        canvas.paint(
            np.maximum(cleft, body), contrast["csf"] * np.float32(rng.uniform(0.1, 0.8)), frame.box
        )
    if rng.random() < 0.16:
        surface = surfaces.upper if rng.random() < 0.5 else surfaces.lower
        band = np.maximum(-surface - rng.uniform(3, 9), body + 0.8)
        wavy = np.maximum(band, 0.4 * (frame.a * rng.choice([-1, 1]) - rng.uniform(-5, 15)))
        canvas.paint(wavy, contrast["marrow"] * np.float32(rng.uniform(0.35, 2)), frame.box)
    if rng.random() < 0.06:
        centre = rng.uniform(-8, 8, 3).tolist()
        ball = np.maximum(ellipsoid(frame.place, centre, (rng.uniform(2, 7),) * 3), body + 0.5)
        canvas.paint(ball, contrast["marrow"] * np.float32(rng.uniform(0.3, 2.5)), frame.box)


def paint_endplates(
    rng: np.random.Generator,
    canvas: Canvas,
    contrast: Contrast,
    frame: Frame,
    surfaces: Surfaces,
    gaps: tuple[float, float],
) -> list[NDArray[np.bool_]]:
    """Paint both endplates; ``gaps`` = disc heights above and below (0 = no endplate there)."""
    masks = []
    for surface, gap in zip((surfaces.upper, surfaces.lower), gaps, strict=True):
        thick = min(0.85 * rng.uniform(1.0, 1.6) + _ENDPLATE_EXTRA, 0.33 * gap)
        slab = np.maximum(np.maximum(surface - thick, -surface), surfaces.side - 0.3)
        if gap > 0:
            canvas.paint(slab, contrast["cortex"] * 1.2, frame.box, inner=-0.15)
        masks.append((slab < 0) & (gap > 0))
    return masks

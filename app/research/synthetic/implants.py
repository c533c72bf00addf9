"""Metal in the spine: screws, rods, cages and cement as signal voids with a bright rim.

The labels below stay: a reader marks the vertebra that carries the screw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.research.synthetic.frames import vertebra_frame
from app.research.synthetic.primitives import capsule, ellipsoid, rounded_box

if TYPE_CHECKING:
    from torch import Tensor

    from app.research.synthetic.canvas import Canvas
    from app.research.synthetic.contrast import Contrast
    from app.research.synthetic.frames import Frame
    from app.research.synthetic.subject import Subject

SHARE = 0.035
"""Share of the phantoms with implants."""


def _void(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, frame: Frame, shape: Tensor
) -> None:
    rim = float(rng.uniform(0.5, 2.5))
    if rng.random() < 0.6:
        canvas.paint(shape, contrast["csf"] * np.float32(rng.uniform(0.3, 1)), frame.box, inner=rim)
    canvas.paint(shape, contrast["air"], frame.box)


def _screws_and_rods(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject, k: int
) -> None:
    half_a, h = subject.depth[k] / 2, subject.height[k]
    pedicle, depth = subject.canal_width[k] / 2 + 2.5, half_a + subject.canal_ap[k]
    frame = vertebra_frame(
        rng, canvas, subject, subject.curve.level_s[k], (half_a + 6, depth + 24, h, h)
    )
    if frame is None:
        return
    thick = rng.uniform(2.5, 5.0)
    for side in (-1, 1):
        tip = (-0.5 * half_a, -0.2 * h, side * 0.6 * pedicle)
        head = (depth + 8, -0.2 * h, side * (pedicle + 4))
        _void(rng, canvas, contrast, frame, capsule(frame.place, tip, head, thick))
        top, bottom = ((head[0] + 3, b, head[2]) for b in (-0.75 * h, 0.85 * h))
        _void(rng, canvas, contrast, frame, capsule(frame.place, top, bottom, thick))


def _cage(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject, k: int
) -> None:
    gap = subject.disc[k]
    s = subject.curve.level_s[k] + subject.height[k] / 2 + gap / 2
    frame = vertebra_frame(rng, canvas, subject, s, (30, 30, gap + 8, gap + 8))
    if frame is not None:
        half = (rng.uniform(6, 12), gap / 2 + rng.uniform(0, 2), rng.uniform(5, 14))
        block = rounded_box(frame.place, (rng.uniform(-4, 4), 0, rng.uniform(-6, 6)), half, 2.0)
        _void(rng, canvas, contrast, frame, block)


def paint_implants(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> None:
    """Paint a fusion over two to four levels, or cement in one body.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    canvas : Canvas
        Painted in place; labels are not touched.
    contrast : Contrast
        Brightness per tissue.
    subject : Subject
        Sizes.
    """
    near = float(canvas.level.quantile(0.5))
    first = int(np.clip(round(near + rng.uniform(-4, 3)), 2, subject.index("S1") - 1))
    if rng.random() < 0.25:
        reach = (40.0, 40.0, 30.0, 30.0)
        frame = vertebra_frame(rng, canvas, subject, subject.curve.level_s[first], reach)
        if frame is not None:
            half = tuple(rng.uniform(4, 0.4 * subject.height[first] + 4.5, 3).tolist())
            blob = ellipsoid(frame.place, rng.uniform(-5, 5, 3).tolist(), half)
            canvas.paint(blob, contrast["cortex"], frame.box)
        return
    last = min(first + int(rng.integers(1, 4)), subject.index("S1") - 1)
    for k in range(first, last + 1):
        _screws_and_rods(rng, canvas, contrast, subject, k)
        if k < last and rng.random() < 0.5:
            _cage(rng, canvas, contrast, subject, k)

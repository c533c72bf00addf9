"""Rigid frames: where a vertebra or a disc lies on the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from app.research.synthetic.canvas import Box, Canvas
    from app.research.synthetic.subject import Subject


@dataclass(frozen=True, slots=True)
class Frame:
    """Rigid frame of one vertebra or disc on a part of the canvas.

    Attributes
    ----------
    box : tuple of 3 slices
        Part of the canvas.
    a, b, c : float32 tensor
        Posterior, below and right of the origin, mm.
    """

    box: Box
    a: Tensor
    b: Tensor
    c: Tensor

    @property
    def place(self) -> tuple[Tensor, Tensor, Tensor]:
        """The coordinates (a, b, c)."""
        return self.a, self.b, self.c


def vertebra_frame(
    rng: np.random.Generator, canvas: Canvas, subject: Subject, s: float, reach: tuple[float, ...]
) -> Frame | None:
    """Frame at arc length s; ``reach`` = mm in front, behind, above, below; None if outside."""
    p0, i0, r0, tilt, slope = subject.curve.at(s)
    cos, sin = float(np.cos(tilt)), float(np.sin(tilt))
    front, behind, above, below = reach
    p2, i2 = canvas.middle[0] - p0, canvas.middle[1] - i0
    a2, b2 = p2 * cos - i2 * sin, p2 * sin + i2 * cos
    near = (a2 > -front) & (a2 < behind) & (b2 > -above) & (b2 < below)
    if not near.any():
        return None
    rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    box = (
        slice(None),
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )
    p, i, r = (x[box] - o for x, o in zip(canvas.place, (p0, i0, r0), strict=True))
    a, b = p * cos - i * sin, p * sin + i * cos
    # A scoliotic vertebra also turns about its axis, the more the further it lies aside.
    turn = float(rng.normal(0, 0.035)) + 0.2 * slope + 0.005 * r0
    c = r - slope * b
    b = b + slope * r
    return Frame(box, a + turn * c, b, c - turn * a)

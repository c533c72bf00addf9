"""Rigid frames: where a vertebra or a disc lies on the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.synthetic.canvas import Box, Canvas
    from app.synthetic.subject import Subject

    Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Frame:
    """Rigid frame of one vertebra or disc on a part of the canvas.

    Attributes
    ----------
    box : tuple of 3 slices
        Part of the canvas.
    a, b, c : float32 ndarray
        Posterior, below and right of the origin, mm.
    """

    box: Box
    a: Array
    b: Array
    c: Array

    @property
    def place(self) -> tuple[Array, Array, Array]:
        """The coordinates (a, b, c)."""
        return self.a, self.b, self.c


def vertebra_frame(
    rng: np.random.Generator, canvas: Canvas, subject: Subject, s: float, reach: tuple[float, ...]
) -> Frame | None:
    """Frame at arc length s; ``reach`` = mm in front, behind, above, below; None if outside."""
    p0, i0, r0, tilt, slope = subject.curve.at(s)
    cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    front, behind, above, below = reach
    middle = canvas.labels.shape[0] // 2
    p, i = canvas.place[0][middle] - p0, canvas.place[1][middle] - i0
    a2, b2 = p * cos - i * sin, p * sin + i * cos
    near = (a2 > -front) & (a2 < behind) & (b2 > -above) & (b2 < below)
    if not near.any():
        return None
    rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    box = (
        slice(None),
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )
    p, i, r = (x[box] - np.float32(o) for x, o in zip(canvas.place, (p0, i0, r0), strict=True))
    a, b = p * cos - i * sin, p * sin + i * cos
    # A scoliotic vertebra also turns about its axis, the more the further it lies aside.
    turn = np.float32(rng.normal(0, 0.035) + 0.2 * slope + 0.005 * r0)
    c = r - np.float32(slope) * b
    b = b + np.float32(slope) * r
    return Frame(box, a + turn * c, b, c - turn * a)

"""Vertebral bodies and their endplates: surfaces and paint.

An endplate is the slab of 0.8-1.3 mm on the body's end surface, outside of label 49.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.synthetic.noise import smooth_noise
from app.synthetic.primitives import ellipsoid, rounded_box, superellipse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.synthetic.canvas import Canvas
    from app.synthetic.contrast import Contrast
    from app.synthetic.frames import Frame
    from app.synthetic.subject import Subject

    Array = NDArray[np.floating]

_WAIST = {"C": 0.049, "T": 0.098, "L": 0.098, "S": 0.042}
_EXTRA_WAIST = {"C": 0.03, "T": 0.16, "L": 0.24, "S": 0.0}
_ENDPLATE_EXTRA = 0.2


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


@dataclass(frozen=True, slots=True)
class Wear:
    """What the paint of a body depends on: wear of the discs above and below (0-1), a fracture."""

    above: float
    below: float
    broken: bool


def wear_of(subject: Subject, k: int) -> Wear:
    """Wear around the body of level k."""
    above = float(subject.degeneration[k - 1]) if k else 0.0
    return Wear(above, float(subject.degeneration[k]), bool(subject.fractures.present[k]))


def body_surfaces(rng: np.random.Generator, subject: Subject, k: int, frame: Frame) -> Surfaces:
    """Shape of the body of level k: waist, osteophytes, end surfaces, nodes, fractures, uncus."""
    h, wear, fractures = subject.height[k], wear_of(subject, k), subject.fractures
    half_a, half_w = subject.depth[k] / 2, subject.width[k] / 2
    a, b, c = frame.place
    flat = np.clip((a / half_a) ** 2 + (c / half_w) ** 2, 0, 1)
    cervical = subject.levels[k].region == "C"
    hollow = rng.uniform(0.4, 1.6) * (0.5 if cervical else 1) * subject.scale * h / 22
    hollow = hollow * fractures.hollow[k] * (1 + 1.2 * fractures.wedge[k])
    ahead = np.clip(0.5 - a / (2 * half_a), 0, 1)
    top = h / 2 - hollow * (1 - flat) - 0.35 * fractures.wedge[k] * h * ahead
    if cervical:
        top = top + 2.5 * subject.scale * np.clip(np.abs(c / half_w), 0, 1) ** 4
    bottom = h / 2 - rng.uniform(0.6, 1.2) * hollow * (1 - flat)
    bottom = bottom - subject.lordotic[k] * h * (1 - ahead)
    top = top - _schmorl_node(rng, frame, half_a, wear.above)
    bottom = bottom - _schmorl_node(rng, frame, half_a, wear.below)
    return Surfaces(_side(rng, subject, k, frame), -b - top, b - bottom)


def _schmorl_node(rng: np.random.Generator, frame: Frame, half_a: float, worn: float) -> Array:
    """Depth of a node that disc tissue has pressed into an end surface, mm."""
    if rng.random() > 0.05 + 0.12 * worn:
        return np.zeros((1, 1, 1), np.float32)
    at = rng.normal(0, 0.35 * half_a, 2)
    far = (frame.a - np.float32(at[0])) ** 2 + (frame.c - np.float32(at[1])) ** 2
    depth: Array = np.float32(rng.uniform(2, 6)) * np.exp(-far / (2 * rng.uniform(2, 5) ** 2))
    return depth


def _side(rng: np.random.Generator, subject: Subject, k: int, frame: Frame) -> Array:
    """Distance to the body's side: deeper waist to the sides than in front, lipped rims."""
    region, fractures = subject.levels[k].region, subject.fractures
    wear = wear_of(subject, k)
    h, half_a, half_w = subject.height[k], subject.depth[k] / 2, subject.width[k] / 2
    a, b, c = frame.place
    relative = np.clip(np.abs(2 * b / h), 0, 1)
    inward = 1 - relative ** np.float32(rng.uniform(1.8, 3.2))
    lips = 0.05 * subject.age * rng.uniform(0, 1.5) * relative**6
    worn = np.where(b < 0, wear.above, wear.below)
    lips = lips + 0.09 * rng.uniform(0, 1) * worn**2 * relative**8
    waist = 1 - _WAIST[region] * rng.uniform(0.7, 1.5) * inward + lips
    narrow = waist - rng.uniform(0, _EXTRA_WAIST[region]) * inward
    side = superellipse(a, c, (half_a * waist, half_w * narrow), 2.8 if region == "C" else 2.3)
    back = a - half_a * (0.93 + 0.10 * (c / half_w) ** 2) * waist
    if fractures.burst[k] > 0:
        piece = np.exp(-(((b / h + 0.25) / 0.25) ** 2) - (c / (0.6 * half_w)) ** 2)
        back = back - np.float32(fractures.burst[k]) * piece
        side = side - np.float32(fractures.burst[k]) * piece * (a > 0)
    distance: Array = np.maximum(side, back)
    return distance


def paint_waist(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, frame: Frame, surfaces: Surfaces
) -> None:
    """Paint what fills a body's waist: a lens of fat or muscle with the segmental vessels.

    Next to the body it looks much like marrow; what tells it apart is that no dark cortex ends it
    above and below.
    """
    middle = np.maximum(surfaces.upper, surfaces.lower)  # deepest half way down
    half_height = -float(middle.min(initial=-1.0))
    bulge = np.clip(1 - ((middle + half_height) / (0.85 * half_height)) ** 2, 0, 1)
    # Thicker beside than in front of the body.
    beside = np.clip(1.2 + frame.a / 12, 0.3, 1)
    thick = np.float32(rng.uniform(0.5, 5.0)) * beside
    behind = frame.a - 0.75 * float(frame.a[surfaces.side < 0].max(initial=0))
    lens = np.maximum(surfaces.side - thick * bulge, np.maximum(behind, 4 * (0.2 - bulge)))
    tissue = str(rng.choice(["fat", "muscle", "marrow"], p=[0.6, 0.25, 0.15]))
    low, high = {"fat": (0.3, 1.0), "muscle": (1.0, 3.0), "marrow": (0.6, 1.4)}[tissue]
    filling = contrast[tissue] * np.float32(rng.uniform(low, high))
    canvas.paint(lens, filling, frame.box)
    for _ in range(rng.integers(0, 3)):
        ring = np.abs(surfaces.side - rng.uniform(0.3, 1) * thick * bulge) - rng.uniform(0.4, 0.9)
        level = np.abs(frame.b - rng.normal(0, 0.15) * half_height * 2) - rng.uniform(0.8, 1.8)
        bright = contrast["vessel"] if rng.random() < 0.7 else contrast["csf"] * 0.6
        canvas.paint(np.maximum(np.maximum(ring, level), behind), bright, frame.box)


def draw_marrow(rng: np.random.Generator, contrast: Contrast) -> Array:
    """Brightness of one vertebra's marrow per rendering, shape (N,)."""
    bright = contrast["marrow"] * (1 + rng.normal(0, 0.06))
    return bright.astype(np.float32)


def _mottled(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Trabecular grain and, in some, patches of fatty and red marrow; about 1."""
    grain = rng.standard_normal(shape, dtype=np.float32) * np.float32(rng.uniform(0.02, 0.10))
    if rng.random() < 0.6:
        knots = float(rng.uniform(4, 12))
        patches = smooth_noise(rng, (shape[0], shape[1], shape[2]), (knots, knots, knots))
        grain = grain + np.float32(rng.uniform(0, 0.16)) * patches
    mottled: Array = np.maximum(1 + grain, 0.1)
    return mottled


def paint_body(
    rng: np.random.Generator,
    canvas: Canvas,
    contrast: Contrast,
    frame: Frame,
    surfaces: Surfaces,
    wear: Wear,
) -> None:
    """Paint cortex, marrow and, on some, venous cleft, Modic bands, oedema or focal lesions."""
    body = surfaces.body
    canvas.paint(body, contrast["cortex"], frame.box, inner=0.35)
    marrow = draw_marrow(rng, contrast)
    if wear.broken and rng.random() < 0.5:  # oedema, or the dark marrow of a fresh fracture
        marrow = marrow * np.float32(rng.uniform(0.4, 1.9))
    painted = marrow[:, None, None, None] * _mottled(rng, body.shape)
    canvas.paint(body, painted, frame.box, inner=-float(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.7:
        cleft = rounded_box(
            frame.place, (float(frame.a[body < 0].max(initial=0)) - 3, 0, 0), (5, 1.2, 5), 1.0
        )
        canvas.paint(
            np.maximum(cleft, body), contrast["csf"] * np.float32(rng.uniform(0.1, 0.8)), frame.box
        )
    for surface, worn in ((surfaces.upper, wear.above), (surfaces.lower, wear.below)):
        if rng.random() < 0.04 + 0.35 * worn**2:
            band = np.maximum(-surface - rng.uniform(2, 9), body + 0.8)
            part = 0.4 * (frame.a * rng.choice([-1, 1]) - rng.uniform(-5, 25))
            bright = marrow * np.float32(rng.choice([rng.uniform(0.3, 0.8), rng.uniform(1.2, 2.2)]))
            canvas.paint(np.maximum(band, part), bright, frame.box)
    if rng.random() < 0.10:
        _paint_focus(rng, canvas, frame, body, marrow)


def _paint_focus(
    rng: np.random.Generator, canvas: Canvas, frame: Frame, body: Array, marrow: Array
) -> None:
    """Paint a hemangioma (bright, striped along the spine), a bone island or another focus."""
    ball = ellipsoid(frame.place, rng.uniform(-9, 9, 3).tolist(), (rng.uniform(2, 9),) * 3)
    bright = marrow * np.float32(rng.uniform(0.2, 2.6))
    striped = bright[:, None, None, None] * np.ones((1, *body.shape), np.float32)
    if rng.random() < 0.5:
        stripes = 1 + 0.3 * np.sin(frame.a * np.float32(rng.uniform(1.5, 3.0)))
        striped = striped * stripes
    canvas.paint(np.maximum(ball, body + 0.5), striped.astype(np.float32), frame.box)


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
        thick = min(0.85 * rng.uniform(0.75, 1.3) + _ENDPLATE_EXTRA, 0.33 * gap)
        slab = np.maximum(np.maximum(surface - thick, -surface), surfaces.side + 0.3)
        if gap > 0:
            canvas.paint(slab, contrast["cortex"] * 1.2, frame.box, inner=-0.15)
        masks.append((slab < 0) & (gap > 0))
    return masks

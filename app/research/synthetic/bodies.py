"""Vertebral bodies and their endplates: surfaces and paint.

An endplate is the slab of 0.8-1.3 mm on the body's end surface, outside of label 49.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from app.research.synthetic.noise import grain, smooth_field
from app.research.synthetic.primitives import ellipsoid, rounded_box, superellipse

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from app.research.synthetic.canvas import Canvas
    from app.research.synthetic.contrast import Contrast
    from app.research.synthetic.frames import Frame
    from app.research.synthetic.subject import Subject

_WAIST = {"C": 0.049, "T": 0.098, "L": 0.098, "S": 0.042}
_EXTRA_WAIST = {"C": 0.03, "T": 0.16, "L": 0.24, "S": 0.0}
_ENDPLATE_EXTRA = 0.2


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Distances to a body's side and its two end surfaces, mm, negative inside the body."""

    side: Tensor
    upper: Tensor
    lower: Tensor

    @property
    def body(self) -> Tensor:
        """Distance to the body."""
        return torch.maximum(self.side, torch.maximum(self.upper, self.lower))


@dataclass(frozen=True, slots=True)
class Wear:
    """What the paint of a body depends on: wear of the discs above and below (0-1), a fracture."""

    above: float
    below: float
    broken: bool


def note_height(canvas: Canvas, frame: Frame, surfaces: Surfaces) -> None:
    """Remember between which surfaces this body lies, for the discs next to it."""
    nearest = canvas.bodies[frame.box]
    nearest.copy_(torch.minimum(nearest, torch.maximum(surfaces.upper, surfaces.lower)))


def wear_of(subject: Subject, k: int) -> Wear:
    """Wear around the body of level k."""
    above = float(subject.degeneration[k - 1]) if k else 0.0
    return Wear(above, float(subject.degeneration[k]), bool(subject.fractures.present[k]))


def body_surfaces(rng: np.random.Generator, subject: Subject, k: int, frame: Frame) -> Surfaces:
    """Shape of the body of level k: waist, osteophytes, end surfaces, nodes, fractures, uncus."""
    h, wear, fractures = float(subject.height[k]), wear_of(subject, k), subject.fractures
    half_a, half_w = float(subject.depth[k]) / 2, float(subject.width[k]) / 2
    a, b, c = frame.place
    rim = 1 - ((a / half_a) ** 2 + (c / half_w) ** 2).clamp_(0, 1)
    cervical = subject.levels[k].region == "C"
    wedge = float(fractures.wedge[k])
    hollow = rng.uniform(0.4, 1.6) * (0.5 if cervical else 1) * subject.scale * h / 22
    hollow = hollow * float(fractures.hollow[k]) * (1 + 1.2 * wedge)
    ahead = (0.5 - a / (2 * half_a)).clamp_(0, 1)
    top = h / 2 - hollow * rim - 0.35 * wedge * h * ahead
    if cervical:
        top = top + 2.5 * subject.scale * (c / half_w).square_().clamp_(max=1).square_()
    bottom = h / 2 - rng.uniform(0.6, 1.2) * hollow * rim
    bottom = bottom - float(subject.lordotic[k]) * h * (1 - ahead)
    top = top - _schmorl_node(rng, frame, half_a, wear.above)
    bottom = bottom - _schmorl_node(rng, frame, half_a, wear.below)
    return Surfaces(_side(rng, subject, k, frame), -b - top, b - bottom)


def _schmorl_node(rng: np.random.Generator, frame: Frame, half_a: float, worn: float) -> Tensor:
    """Depth of a node that disc tissue has pressed into an end surface, mm."""
    if rng.random() > 0.05 + 0.12 * worn:
        return frame.a.new_zeros(1, 1, 1)
    at = rng.normal(0, 0.35 * half_a, 2).tolist()
    far = (frame.a - at[0]) ** 2 + (frame.c - at[1]) ** 2
    return rng.uniform(2, 6) * torch.exp(-far / (2 * rng.uniform(2, 5) ** 2))


def _side(rng: np.random.Generator, subject: Subject, k: int, frame: Frame) -> Tensor:
    """Distance to the body's side: deeper waist to the sides than in front, lipped rims."""
    region, fractures = subject.levels[k].region, subject.fractures
    wear = wear_of(subject, k)
    h, depth, width = (float(x[k]) for x in (subject.height, subject.depth, subject.width))
    half_a, half_w = depth / 2, width / 2
    a, b, c = frame.place
    relative = (b * (2 / h)).abs_().clamp_(max=1)
    inward = 1 - relative ** rng.uniform(1.8, 3.2)
    square = relative * relative
    sixth = square**3
    lips = 0.05 * subject.age * rng.uniform(0, 1.5) * sixth
    worn = torch.where(b < 0, wear.above, wear.below)
    lips = lips + 0.09 * rng.uniform(0, 1) * worn**2 * sixth * square
    waist = 1 - _WAIST[region] * rng.uniform(0.7, 1.5) * inward + lips
    narrow = waist - rng.uniform(0, _EXTRA_WAIST[region]) * inward
    side = superellipse(a, c, (half_a * waist, half_w * narrow), 2.8 if region == "C" else 2.3)
    back = a - half_a * (0.93 + 0.10 * (c / half_w) ** 2) * waist
    burst = float(fractures.burst[k])
    if burst > 0:
        piece = torch.exp(-(((b / h + 0.25) / 0.25) ** 2) - (c / (0.6 * half_w)) ** 2)
        back = back - burst * piece
        side = side - burst * piece * (a > 0)
    return torch.maximum(side, back)


def paint_waist(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, frame: Frame, surfaces: Surfaces
) -> None:
    """Paint what fills a body's waist: a lens of fat or muscle with the segmental vessels.

    Next to the body it looks much like marrow; what tells it apart is that no dark cortex ends it
    above and below.
    """
    middle = torch.maximum(surfaces.upper, surfaces.lower)  # deepest half way down
    half_height = -middle.min().clamp(max=-1.0)
    bulge = (1 - ((middle + half_height) / (0.85 * half_height)) ** 2).clamp_(0, 1)
    # Thicker beside than in front of the body.
    beside = (1.2 + frame.a / 12).clamp_(0.3, 1)
    thick = rng.uniform(0.5, 5.0) * beside
    behind = frame.a - 0.75 * _back_wall(frame, surfaces.side)
    outside = torch.maximum(behind, 4 * (0.2 - bulge))
    lens = torch.maximum(surfaces.side - thick * bulge, outside)
    tissue = str(rng.choice(["fat", "muscle", "marrow"], p=[0.6, 0.25, 0.15]))
    low, high = {"fat": (0.3, 1.0), "muscle": (1.0, 3.0), "marrow": (0.6, 1.4)}[tissue]
    filling = contrast[tissue] * np.float32(rng.uniform(low, high))
    canvas.paint(lens, filling, frame.box)
    for _ in range(rng.integers(0, 3)):
        ring = (surfaces.side - rng.uniform(0.3, 1) * thick * bulge).abs_() - rng.uniform(0.4, 0.9)
        level = (frame.b - rng.normal(0, 0.15) * half_height * 2).abs_() - rng.uniform(0.8, 1.8)
        bright = contrast["vessel"] if rng.random() < 0.7 else contrast["csf"] * 0.6
        canvas.paint(torch.maximum(torch.maximum(ring, level), behind), bright, frame.box)


def _back_wall(frame: Frame, distance: Tensor) -> Tensor:
    """How far a shape reaches behind the origin, mm; a single number that stays on the device."""
    return torch.where(distance < 0, frame.a, 0.0).max().clamp(min=0.0)


def draw_marrow(rng: np.random.Generator, contrast: Contrast) -> NDArray[np.float32]:
    """Brightness of one vertebra's marrow per rendering, shape (N,)."""
    bright = contrast["marrow"] * (1 + rng.normal(0, 0.06))
    return bright.astype(np.float32)


def _mottled(rng: np.random.Generator, body: Tensor) -> Tensor:
    """Trabecular grain and, in some, patches of fatty and red marrow; about 1."""
    mottled = grain(rng, body.shape, body.device).mul_(rng.uniform(0.02, 0.10)).add_(1)
    if rng.random() < 0.6:
        knots = float(rng.uniform(4, 12))
        patches = smooth_field(rng, body.shape, (knots, knots, knots), body.device)
        mottled.add_(patches, alpha=rng.uniform(0, 0.16))
    return mottled.clamp_(min=0.1)


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
    mottled = _mottled(rng, body)
    canvas.paint(body, marrow, frame.box, inner=-rng.uniform(0.3, 1.2), texture=mottled)
    if rng.random() < 0.7:
        cleft = rounded_box(frame.place, (_back_wall(frame, body) - 3, 0, 0), (5, 1.2, 5), 1.0)
        vein = contrast["csf"] * np.float32(rng.uniform(0.1, 0.8))
        canvas.paint(torch.maximum(cleft, body), vein, frame.box)
    for surface, worn in ((surfaces.upper, wear.above), (surfaces.lower, wear.below)):
        if rng.random() < 0.04 + 0.35 * worn**2:
            band = torch.maximum(-surface - rng.uniform(2, 9), body + 0.8)
            part = 0.4 * (frame.a * int(rng.choice([-1, 1])) - rng.uniform(-5, 25))
            bright = marrow * np.float32(rng.choice([rng.uniform(0.3, 0.8), rng.uniform(1.2, 2.2)]))
            canvas.paint(torch.maximum(band, part), bright, frame.box)
    if rng.random() < 0.10:
        _paint_focus(rng, canvas, frame, body, marrow)


def _paint_focus(
    rng: np.random.Generator,
    canvas: Canvas,
    frame: Frame,
    body: Tensor,
    marrow: NDArray[np.float32],
) -> None:
    """Paint a hemangioma (bright, striped along the spine), a bone island or another focus."""
    ball = ellipsoid(frame.place, rng.uniform(-9, 9, 3).tolist(), (rng.uniform(2, 9),) * 3)
    bright = marrow * np.float32(rng.uniform(0.2, 2.6))
    stripes = None
    if rng.random() < 0.5:
        stripes = 1 + 0.3 * torch.sin(frame.a * rng.uniform(1.5, 3.0))
    canvas.paint(torch.maximum(ball, body + 0.5), bright, frame.box, texture=stripes)


def paint_endplates(
    rng: np.random.Generator,
    canvas: Canvas,
    contrast: Contrast,
    frame: Frame,
    surfaces: Surfaces,
    gaps: tuple[float, float],
) -> list[Tensor]:
    """Paint both endplates; ``gaps`` = disc heights above and below (0 = no endplate there)."""
    masks = []
    for surface, gap in zip((surfaces.upper, surfaces.lower), gaps, strict=True):
        thick = min(0.85 * rng.uniform(0.75, 1.3) + _ENDPLATE_EXTRA, 0.33 * gap)
        slab = torch.maximum(torch.maximum(surface - thick, -surface), surfaces.side + 0.3)
        if gap > 0:
            canvas.paint(slab, contrast["cortex"] * 1.2, frame.box, inner=-0.15)
        masks.append((slab < 0) & bool(gap > 0))
    return masks

"""Shapes of the posterior elements, in the frame of their vertebra.

Frame: a posterior of, b below, c right of the body's centre; mm. Left is c < 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from app.research.synthetic.primitives import capsule, rounded_box
from operators.anatomy.labels import Structure

if TYPE_CHECKING:
    from torch import Tensor

    Place = tuple[Tensor, Tensor, Tensor]

Shape = tuple[int, "Tensor"]


@dataclass(frozen=True, slots=True)
class Build:
    """Sizes of one vertebra's arch, mm.

    Attributes
    ----------
    region : str
        ``C``, ``T`` or ``L``.
    half_depth, half_width, half_height : float
        Of the body.
    half_canal_ap, half_canal_width : float
        Of the bony canal.
    spinous_length, spinous_declination, spinous_half_height : float
        Spinous process (mm, radians, mm).
    scale : float
        Body size, 1 = typical.
    thoracic : float
        0 at T1 to 1 at T12, else 0.
    """

    region: str
    half_depth: float
    half_width: float
    half_height: float
    half_canal_ap: float
    half_canal_width: float
    spinous_length: float
    spinous_declination: float
    spinous_half_height: float
    scale: float
    thoracic: float

    @property
    def canal_a(self) -> float:
        """Position of the canal's centre behind the body's centre."""
        return self.half_depth + self.half_canal_ap + 0.6


_PEDICLE_RADIUS = {"C": 3.2, "T": 4.0, "L": 5.4}
_PEDICLE_HEIGHT = {"C": -0.05, "T": -0.25, "L": -0.2}
_LAMINA_THICKNESS = {"C": 3.8, "T": 5.0, "L": 6.0}
_LAMINA_SLOPE = {"C": 0.45, "T": 0.55, "L": 0.35}
_LAMINA_SPAN = {"C": (-0.35, 0.45), "T": (-0.3, 0.5), "L": (-0.25, 0.42)}
_TRANSVERSE_RADIUS = {"C": 3.6, "T": 4.6, "L": 4.0}
_SUPERIOR_HALF = {"C": (5.5, 6.5, 5.5), "T": (3.3, 6.8, 4.8), "L": (5.8, 8.8, 4.8)}
_INFERIOR_HALF = {"C": (4.8, 7.0, 5.5), "T": (3.5, 6.8, 5.0), "L": (5.4, 10.0, 5.2)}
_SPINOUS_HALF_THICKNESS = {"C": 3.0, "T": 3.0, "L": 3.6}


def _pedicle_x(build: Build, radius: float) -> float:
    """Distance of a pedicle's root from the midline: its inner wall is the canal's side."""
    if build.region == "C":
        return build.half_width - 1
    return min(build.half_width - 0.7 * radius, build.half_canal_width + 0.85 * radius)


def _pedicles(rng: np.random.Generator, build: Build, place: Place) -> list[Shape]:
    radius = _PEDICLE_RADIUS[build.region] * build.scale * rng.uniform(0.85, 1.15)
    high = _PEDICLE_HEIGHT[build.region] * 2 * build.half_height
    shapes = []
    for side in (-1, 1):
        start = (build.half_depth - 3, high, side * _pedicle_x(build, radius))
        end = (build.canal_a + 1, 0.8 * high, side * (build.half_canal_width + 0.85 * radius))
        shapes.append((int(Structure.ARCUS), capsule(place, start, end, radius)))
    return shapes


def _lamina(rng: np.random.Generator, build: Build, place: Place) -> Shape:
    a, b, c = place
    h = 2 * build.half_height
    low, high = (x * h for x in _LAMINA_SPAN[build.region])
    thick = _LAMINA_THICKNESS[build.region] * build.scale * rng.uniform(0.85, 1.25)
    back = a - build.canal_a - _LAMINA_SLOPE[build.region] * (b - (low + high) / 2) * 0.6
    inner_a, inner_c = build.half_canal_ap + 1.2, build.half_canal_width + 1.5
    ring = (torch.hypot(back / inner_a, c / inner_c) - 1) * min(inner_a, inner_c)
    shell = (ring - thick / 2).abs_() - thick / 2
    slab = (b - (low + high) / 2).abs_() - (high - low) / 2
    distance = torch.maximum(torch.maximum(shell, slab), build.canal_a - 1 - a)
    return int(Structure.ARCUS), distance


def _transverse(rng: np.random.Generator, build: Build, place: Place) -> list[Shape]:
    radius = _TRANSVERSE_RADIUS[build.region] * build.scale * rng.uniform(0.8, 1.25)
    h = 2 * build.half_height
    out, back = rng.uniform(20, 30), rng.uniform(1, 7)
    if build.region == "T":
        length = (24 - 12 * build.thoracic) * rng.uniform(0.8, 1.15)
        out, back = 0.85 * length, 0.55 * length
    if build.region == "C":
        out, back = rng.uniform(8, 12), -3.0
    lean = rng.normal(0, 2.5)
    shapes = []
    for side, label in ((-1, Structure.COSTAL_PROCESS_LEFT), (1, Structure.COSTAL_PROCESS_RIGHT)):
        root = build.half_canal_width + 5 if build.region != "C" else build.half_width + 2
        start = (build.canal_a, -0.15 * h, side * root)
        end = (build.canal_a + back, -0.12 * h + lean, side * (root + out * build.scale))
        a, b, c = place
        flat = (a, b * 0.8, c)  # taller than thick
        shapes.append((int(label), capsule(flat, _flat(start), _flat(end), radius)))
    return shapes


def _flat(point: tuple[float, float, float]) -> tuple[float, float, float]:
    return point[0], 0.8 * point[1], point[2]


def _articular(rng: np.random.Generator, build: Build, place: Place) -> list[Shape]:
    h, mc, kc, a0 = (
        2 * build.half_height,
        build.half_canal_width,
        build.half_canal_ap,
        build.canal_a,
    )
    superior = {
        "C": (a0 + 0.5, -0.32 * h, mc + 5.5),
        "T": (a0 + 1.5, -0.55 * h, mc + 2),
        "L": (a0 + 3.5, -0.5 * h, mc + 4.5),
    }[build.region]
    inferior = {
        "C": (a0 + 4, 0.5 * h, mc + 5.5),
        "T": (a0 + 0.75 * kc + 1, 0.55 * h, 0.72 * mc),
        "L": (a0 + kc + 0.5, 0.62 * h, mc - 1.5),
    }[build.region]
    both = (
        (
            superior,
            _SUPERIOR_HALF,
            Structure.SUPERIOR_ARTICULAR_LEFT,
            Structure.SUPERIOR_ARTICULAR_RIGHT,
        ),
        (
            inferior,
            _INFERIOR_HALF,
            Structure.INFERIOR_ARTICULAR_LEFT,
            Structure.INFERIOR_ARTICULAR_RIGHT,
        ),
    )
    shapes = []
    for centre, halves, left, right in both:
        size = np.array(halves[build.region]) * build.scale * rng.uniform(0.85, 1.2)
        shift = rng.normal(0, (1.0, 1.5, 0.8))
        for side, label in ((-1, left), (1, right)):
            own = size * np.clip(rng.normal(1, 0.1, 3), 0.75, 1.3)
            where = np.array(centre) + shift + rng.normal(0, 0.6, 3)
            where[2] *= side
            shapes.append((int(label), rounded_box(place, where.tolist(), own.tolist(), 3.5)))
    return shapes


def _spinous(rng: np.random.Generator, build: Build, place: Place) -> Shape:
    a, b, c = place
    thick = _SPINOUS_HALF_THICKNESS[build.region] * build.scale * rng.uniform(0.8, 1.35)
    lamina = 0.3 * _LAMINA_THICKNESS[build.region] * build.scale
    start_a, start_b = build.canal_a + build.half_canal_ap + lamina, 0.24 * build.half_height
    cos, sin = math.cos(build.spinous_declination), math.sin(build.spinous_declination)
    along = (a - start_a) * cos + (b - start_b) * sin
    across = -(a - start_a) * sin + (b - start_b) * cos
    relative = (along / max(build.spinous_length, 1.0)).clamp_(0, 1)
    flare = {"T": -0.06}.get(build.region, 0.2)
    drift = c - rng.normal(0, 0.05) * along
    if build.region == "C":
        drift = torch.where(relative > 0.55, drift.abs() - thick * 0.6, drift)
    half_length = build.spinous_length / 2
    local = (along - half_length, across / (1 + flare * relative), drift / (1 + flare * relative))
    half = (half_length + 2, build.spinous_half_height * rng.uniform(0.85, 1.2), thick)
    return int(Structure.SPINOUS_PROCESS), rounded_box(local, (0, 0, 0), half, 3.0)


def posterior_shapes(rng: np.random.Generator, build: Build, place: Place) -> list[Shape]:
    """All posterior elements of one vertebra.

    Parameters
    ----------
    rng : numpy Generator
        Source of sizes and positions.
    build : Build
        Sizes of the vertebra.
    place : tuple of 3 float32 tensors
        Frame coordinates (a, b, c), mm.

    Returns
    -------
    list of (label, distance)
        Left and right parts have their own labels; distances in mm, negative inside.
    """
    shapes = [*_pedicles(rng, build, place), _lamina(rng, build, place)]
    shapes += _transverse(rng, build, place)
    shapes += _articular(rng, build, place)
    if build.spinous_length > 0:
        shapes.append(_spinous(rng, build, place))
    return shapes

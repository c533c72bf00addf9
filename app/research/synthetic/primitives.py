"""Signed distances (mm, negative inside) of the shapes that anatomy is built from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    Point = Sequence[float | Tensor]


def _length(parts: Sequence[Tensor]) -> Tensor:
    """Euclidean length of a vector field."""
    first, *others = parts
    squared = first * first
    for part in others:
        squared = torch.addcmul(squared, part, part)
    return squared.sqrt_()


def capsule(
    place: Sequence[Tensor], start: Sequence[float], end: Sequence[float], radius: float
) -> Tensor:
    """Distance to a segment from ``start`` to ``end``, minus the radius."""
    axis = [float(e - s) for s, e in zip(start, end, strict=True)]
    length2 = sum(x * x for x in axis) + 1e-6
    relative = [x - float(o) for x, o in zip(place, start, strict=True)]
    along = relative[0] * (axis[0] / length2)
    for r, a in zip(relative[1:], axis[1:], strict=True):
        along = along + r * (a / length2)
    along = along.clamp_(0.0, 1.0)
    return _length([r - along * a for r, a in zip(relative, axis, strict=True)]) - radius


def rounded_box(
    place: Sequence[Tensor], centre: Point, half: Sequence[float], rounding: float = 2.0
) -> Tensor:
    """Distance to a box of half sizes ``half`` with rounded edges."""
    rounding = float(min(rounding, *half))
    outside = [
        (x - c).abs_() - (float(h) - rounding) for x, c, h in zip(place, centre, half, strict=True)
    ]
    deepest = torch.maximum(torch.maximum(outside[0], outside[1]), outside[2])
    far = _length([o.clamp(min=0.0) for o in outside])
    return far + deepest.clamp_(max=0.0) - rounding


def ellipsoid(place: Sequence[Tensor], centre: Point, half: Sequence[float]) -> Tensor:
    """Distance to an ellipsoid, exact on its surface and about right near it."""
    scaled = [(x - c) / float(h) for x, c, h in zip(place, centre, half, strict=True)]
    return (_length(scaled) - 1.0) * float(min(half))


def superellipse(
    a: Tensor, c: Tensor, half: tuple[Tensor, Tensor] | tuple[float, float], power: float
) -> Tensor:
    """Distance to |a/A|^n + |c/W|^n = 1 in a plane; A and W may vary over the voxels."""
    half_a, half_c = half
    if isinstance(half_a, torch.Tensor) and isinstance(half_c, torch.Tensor):
        least: Tensor | float = torch.minimum(half_a, half_c)
    else:
        least = float(min(half_a, half_c))
    ratio = (a / half_a).abs_() ** power + (c / half_c).abs_() ** power
    return (ratio ** (1.0 / power) - 1.0) * least

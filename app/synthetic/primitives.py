"""Signed distances (mm, negative inside) of the shapes that anatomy is built from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.floating]
    Point = Sequence[float]


def capsule(place: Sequence[Array], start: Point, end: Point, radius: float) -> Array:
    """Distance to a segment from ``start`` to ``end``, minus the radius."""
    axis = np.subtract(end, start).astype(np.float32)
    length2 = float(axis @ axis) + 1e-6
    relative = [x - np.float32(o) for x, o in zip(place, start, strict=True)]
    along = sum(r * a for r, a in zip(relative, axis, strict=True)) / np.float32(length2)
    along = np.clip(along, 0.0, 1.0)
    squared = sum((r - along * a) ** 2 for r, a in zip(relative, axis, strict=True))
    distance: Array = np.sqrt(squared) - np.float32(radius)
    return distance


def rounded_box(place: Sequence[Array], centre: Point, half: Point, rounding: float = 2.0) -> Array:
    """Distance to a box of half sizes ``half`` with rounded edges."""
    rounding = min(rounding, *half)
    outside: list[Array] = [
        np.abs(x - np.float32(c)) - np.float32(h - rounding)
        for x, c, h in zip(place, centre, half, strict=True)
    ]
    deepest = np.maximum(np.maximum(outside[0], outside[1]), outside[2])
    squared = sum(np.maximum(o, 0.0) ** 2 for o in outside)
    distance: Array = np.sqrt(squared) + np.minimum(deepest, 0.0) - np.float32(rounding)
    return distance


def ellipsoid(place: Sequence[Array], centre: Point, half: Point) -> Array:
    """Distance to an ellipsoid, exact on its surface and about right near it."""
    squared = sum(
        ((x - np.float32(c)) / np.float32(h)) ** 2
        for x, c, h in zip(place, centre, half, strict=True)
    )
    distance: Array = (np.sqrt(squared) - 1.0) * np.float32(min(half))
    return distance


def superellipse(
    a: Array, c: Array, half: tuple[Array | float, Array | float], power: float
) -> Array:
    """Distance to |a/A|^n + |c/W|^n = 1 in a plane; A and W may vary over the voxels."""
    half_a, half_c = half
    ratio = (np.abs(a) / half_a) ** power + (np.abs(c) / half_c) ** power
    distance: Array = (ratio ** np.float32(1.0 / power) - 1.0) * np.minimum(half_a, half_c)
    return distance.astype(np.float32)

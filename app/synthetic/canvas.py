"""The sheet that a phantom is painted on: coordinates, images, labels, instance numbers.

Arrays are indexed [R, I, P]. Everything that is painted is given by its signed distance in mm, so
that edges get their partial volume in the plane for free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.synthetic.noise import smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.synthetic.subject import Curve, Subject

    Array = NDArray[np.floating]

Box = tuple[slice, slice, slice]
EVERYWHERE: Box = (slice(None), slice(None), slice(None))


@dataclass(frozen=True, slots=True)
class Field:
    """Where the field of view lies.

    Attributes
    ----------
    shape : tuple of 3 ints
        Number of voxels along (R, I, P).
    spacing : tuple of 3 floats
        Voxel size along (R, I, P), mm.
    s : float
        Arc length of the spine that the field is centred on.
    offset : tuple of 2 floats
        The field's centre relative to the spine there, (R, P), mm.
    angle : float
        Rotation in the sagittal plane, radians.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    s: float
    offset: tuple[float, float]
    angle: float


@dataclass(slots=True)
class Canvas:
    """Coordinates and the picture so far.

    Attributes
    ----------
    place : tuple of 3 (R, I, P) float32 ndarrays
        World coordinates (p, i, r) of every voxel, elastically deformed, mm.
    s, u, w : (R, I, P) float32 ndarray
        Straightened coordinates: along the spine, posterior of it, right of it; mm.
    level : (1, I, P) float32 ndarray
        Level number as a real number, from the straightened coordinate.
    images : (N, R, I, P) float32 ndarray
        One picture per rendering.
    labels, instances : (R, I, P) uint8 ndarray
        Truth.
    edge : float
        Width of a painted edge, mm.
    spacing : tuple of 3 floats
        Voxel size along (R, I, P), mm.
    """

    place: tuple[Array, Array, Array]
    s: Array
    u: Array
    w: Array
    level: Array
    images: Array
    labels: NDArray[np.uint8]
    instances: NDArray[np.uint8]
    edge: float
    spacing: tuple[float, float, float]

    def paint(
        self, distance: Array, value: Array, box: Box = EVERYWHERE, inner: float = 0.0
    ) -> None:
        """Blend ``value`` in where the distance is below ``inner``.

        Parameters
        ----------
        distance : float32 ndarray
            Signed distance, mm, of the box's shape.
        value : (N,) or (N, box) float32 ndarray
            Brightness per rendering.
        box : tuple of 3 slices
            Part of the canvas.
        inner : float
            Distance of the edge, mm.
        """
        alpha = np.clip(0.5 + (inner - distance) / (3.2 * self.edge), 0.0, 1.0)
        for image, bright in zip(self.images, value, strict=True):
            image[box] += alpha * (bright - image[box])

    def label(
        self, mask: NDArray[np.bool_], label: int, instance: int, box: Box = EVERYWHERE
    ) -> None:
        """Write label and instance number where the mask is set."""
        self.labels[box][mask] = label
        self.instances[box][mask] = instance

    def noise(
        self, rng: np.random.Generator, knots_mm: float | tuple[float, float, float]
    ) -> Array:
        """Smooth noise over the whole canvas with knots so many mm apart."""
        knots = (knots_mm,) * 3 if isinstance(knots_mm, float | int) else knots_mm
        r, i, p = (k / d for k, d in zip(knots, self.spacing, strict=True))
        shape = self.labels.shape
        return smooth_noise(rng, (shape[0], shape[1], shape[2]), (r, i, p))

    def along(self, per_level: NDArray[np.float64]) -> Array:
        """Interpolate a per-level quantity along the spine; shape (1, I, P)."""
        index = np.arange(len(per_level), dtype=np.float64)
        return np.interp(self.level, index, per_level).astype(np.float32)


def _straighten(curve: Curve, p: Array, i: Array, centre_s: float) -> tuple[Array, Array, Array]:
    """Nearest sample of the centre line for every in-plane point: s, u and the tilt there."""
    near = np.abs(curve.s - centre_s) < 260
    cp, ci = curve.p[near].astype(np.float32), curve.i[near].astype(np.float32)
    coarse = slice(None, None, 2)
    distance = (p[..., None] - cp[coarse]) ** 2 + (i[..., None] - ci[coarse]) ** 2
    nearest = distance.argmin(-1) * 2
    tilt = curve.tilt[near].astype(np.float32)[nearest]
    dp, di = p - cp[nearest], i - ci[nearest]
    along = np.clip(dp * np.sin(tilt) + di * np.cos(tilt), -3, 3)
    s = curve.s[near].astype(np.float32)[nearest] + along
    return s, dp * np.cos(tilt) - di * np.sin(tilt), tilt


def blank_canvas(
    rng: np.random.Generator, subject: Subject, field: Field, renderings: int
) -> Canvas:
    """Coordinates of an empty canvas.

    Parameters
    ----------
    rng : numpy Generator
        Source of the elastic deformation.
    subject : Subject
        Whose spine.
    field : Field
        What part of it.
    renderings : int
        Number of pictures.

    Returns
    -------
    Canvas
        Images 0, labels 0.
    """
    shape, spacing = field.shape, field.spacing
    curve = subject.curve
    p0, i0, r0, _, _ = curve.at(field.s)
    r, i, p = (
        ((np.arange(n) - (n - 1) / 2) * d).astype(np.float32)
        for n, d in zip(shape, spacing, strict=True)
    )
    cos, sin = np.float32(np.cos(field.angle)), np.float32(np.sin(field.angle))
    p2 = cos * p[None, :] - sin * i[:, None] + np.float32(p0 + field.offset[1])
    i2 = sin * p[None, :] + cos * i[:, None] + np.float32(i0)
    s2, u2, tilt = (x[None] for x in _straighten(curve, p2, i2, field.s))
    labels = np.zeros(shape, dtype=np.uint8)
    images = np.zeros((renderings, *shape), dtype=np.float32)
    canvas = Canvas((p2, i2, r), s2, u2, r, s2, images, labels, labels.copy(), 0.5, spacing)
    amount, fine = rng.uniform(0.3, 1.6), rng.uniform(0.1, 0.45)
    dp, di, dr = (
        amount * canvas.noise(rng, 28.0) + fine * canvas.noise(rng, 7.0) for _ in range(3)
    )
    rr = r[:, None, None] + np.float32(r0 + field.offset[0])
    canvas.place = (p2[None] + dp, i2[None] + di, rr + dr)
    canvas.s = s2 + dp * np.sin(tilt) + di * np.cos(tilt)
    canvas.u = u2 + dp * np.cos(tilt) - di * np.sin(tilt)
    canvas.w = canvas.place[2] - np.interp(s2, curve.s, curve.r).astype(np.float32)
    index = np.arange(len(curve.level_s), dtype=np.float64)
    canvas.level = np.interp(s2, curve.level_s, index).astype(np.float32)
    canvas.edge = float(rng.uniform(0.3, 0.65))
    return canvas

"""The sheet that a phantom is painted on: coordinates, images, labels, instance numbers.

Tensors are indexed [R, I, P] and all lie on one device. Everything that is painted is given by its
signed distance in mm, so that edges get their partial volume in the plane for free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from app.research.synthetic.interpolation import interpolate, on_device
from app.research.synthetic.noise import smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from app.research.synthetic.subject import Curve, Subject

Box = tuple[slice, slice, slice]
EVERYWHERE: Box = (slice(None), slice(None), slice(None))

_FAR_MM = 99.0


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
    place : tuple of 3 (R, I, P) float32 tensors
        World coordinates (p, i, r) of every voxel, elastically deformed, mm.
    s, u, w : (R, I, P) float32 tensor
        Straightened coordinates: along the spine, posterior of it, right of it; mm.
    level : (1, I, P) float32 tensor
        Level number as a real number, from the straightened coordinate.
    images : (N, R, I, P) float32 tensor
        One picture per rendering.
    labels, instances : (R, I, P) uint8 tensor
        Truth.
    bodies : (R, I, P) float32 tensor
        Distance to the nearest slab between the two end surfaces of a body, however far beside the
        body, mm, negative inside: there a disc can't be.
    edge : float
        Width of a painted edge, mm.
    spacing : tuple of 3 floats
        Voxel size along (R, I, P), mm.
    middle : tuple of 2 (I, P) float32 ndarrays
        World coordinates (p, i) of the middle slice, kept on the CPU: where to look for a bone is
        decided there, without waiting for the device.
    """

    place: tuple[Tensor, Tensor, Tensor]
    s: Tensor
    u: Tensor
    w: Tensor
    level: Tensor
    images: Tensor
    labels: Tensor
    instances: Tensor
    bodies: Tensor
    edge: float
    spacing: tuple[float, float, float]
    middle: tuple[NDArray[np.float32], NDArray[np.float32]]

    def paint(
        self,
        distance: Tensor,
        value: NDArray[np.float32],
        box: Box = EVERYWHERE,
        *,
        inner: float = 0.0,
        texture: Tensor | None = None,
    ) -> None:
        """Blend ``value`` in where the distance is below ``inner``.

        Parameters
        ----------
        distance : float32 tensor
            Signed distance, mm, of the box's shape.
        value : (N,) ndarray
            Brightness per rendering.
        box : tuple of 3 slices
            Part of the canvas.
        inner : float
            Distance of the edge, mm.
        texture : float32 tensor or None
            Factor of the brightness, of the box's shape.
        """
        steep = 1.0 / (3.2 * self.edge)
        alpha = (distance * -steep).add_(0.5 + inner * steep).clamp_(0.0, 1.0)
        bright = on_device(value, distance.device)[:, None, None, None]
        if texture is not None:
            bright = bright * texture
        self.images[(slice(None), *box)].lerp_(bright, alpha)

    def label(self, mask: Tensor, label: int, instance: int, box: Box = EVERYWHERE) -> None:
        """Write label and instance number where the mask is set."""
        self.labels[box].masked_fill_(mask, label)
        self.instances[box].masked_fill_(mask, instance)

    def noise(
        self, rng: np.random.Generator, knots_mm: float | tuple[float, float, float]
    ) -> Tensor:
        """Smooth noise over the whole canvas with knots so many mm apart."""
        knots = (knots_mm,) * 3 if isinstance(knots_mm, float | int) else knots_mm
        r, i, p = (k / d for k, d in zip(knots, self.spacing, strict=True))
        return smooth_field(rng, self.labels.shape, (r, i, p), self.labels.device)

    def along(self, per_level: NDArray[np.float64]) -> Tensor:
        """Interpolate a per-level quantity along the spine; shape (1, I, P)."""
        return interpolate(self.level, np.arange(len(per_level)), per_level)


def _straighten(
    curve: Curve, p: Tensor, i: Tensor, centre_s: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Nearest sample of the centre line for every in-plane point: s, u and the tilt there."""
    near = np.abs(curve.s - centre_s) < 260
    cs, cp, ci, tilts = (
        on_device(x[near], p.device) for x in (curve.s, curve.p, curve.i, curve.tilt)
    )
    coarse = slice(None, None, 2)
    distance = (p[..., None] - cp[coarse]) ** 2 + (i[..., None] - ci[coarse]) ** 2
    nearest = distance.argmin(-1) * 2
    tilt = tilts[nearest]
    dp, di = p - cp[nearest], i - ci[nearest]
    along = (dp * torch.sin(tilt) + di * torch.cos(tilt)).clamp_(-3, 3)
    return cs[nearest] + along, dp * torch.cos(tilt) - di * torch.sin(tilt), tilt


def blank_canvas(
    rng: np.random.Generator,
    subject: Subject,
    field: Field,
    renderings: int,
    *,
    device: torch.device | str = "cpu",
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
    device : torch device
        Where everything is painted.

    Returns
    -------
    Canvas
        Images 0, labels 0.
    """
    shape, spacing = field.shape, field.spacing
    curve = subject.curve
    p0, i0, r0, _, _ = curve.at(field.s)
    r, i, p = (
        on_device((np.arange(n) - (n - 1) / 2) * d, device)
        for n, d in zip(shape, spacing, strict=True)
    )
    cos, sin = float(np.cos(field.angle)), float(np.sin(field.angle))
    p2 = cos * p[None, :] - sin * i[:, None] + (p0 + field.offset[1])
    i2 = sin * p[None, :] + cos * i[:, None] + i0
    s2, u2, tilt = (x[None] for x in _straighten(curve, p2, i2, field.s))
    rr = r[:, None, None] + (r0 + field.offset[0])
    amount, fine = rng.uniform(0.3, 1.6), rng.uniform(0.1, 0.45)

    def bend() -> Tensor:
        coarse, close = (
            smooth_field(rng, shape, (mm / spacing[0], mm / spacing[1], mm / spacing[2]), device)
            for mm in (28.0, 7.0)
        )
        return amount * coarse + fine * close

    dp, di, dr = (bend() for _ in range(3))
    place = (p2[None] + dp, i2[None] + di, rr + dr)
    labels = torch.zeros(shape, dtype=torch.uint8, device=device)
    middle = shape[0] // 2
    return Canvas(
        place=place,
        s=s2 + dp * torch.sin(tilt) + di * torch.cos(tilt),
        u=u2 + dp * torch.cos(tilt) - di * torch.sin(tilt),
        w=place[2] - interpolate(s2, curve.s, curve.r),
        level=interpolate(s2, curve.level_s, np.arange(len(curve.level_s))),
        images=torch.zeros((renderings, *shape), device=device),
        labels=labels,
        instances=labels.clone(),
        bodies=torch.full(shape, _FAR_MM, device=device),
        edge=float(rng.uniform(0.3, 0.65)),
        spacing=spacing,
        middle=(place[0][middle].cpu().numpy(), place[1][middle].cpu().numpy()),
    )

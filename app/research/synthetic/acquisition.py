"""From painted sub-slices to the slices of a scanner: coil, blur, profile, noise, wrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from app.research.synthetic.interpolation import filtered, gaussian, on_device
from app.research.synthetic.noise import grain, smooth_field

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Scanner:
    """How strongly the image is spoiled.

    Attributes
    ----------
    sub_slices : int
        Painted sub-slices per slice; odd, so that the label can be that of the centre.
    noise : tuple of 2 floats
        Range of the Rician noise's standard deviation, in units of bright CSF.
    blur_voxels : tuple of 2 floats
        Range of the in-plane Gaussian blur.
    artefacts : float
        Probability factor of ghosts, slice jitter, cross-talk, thin slices and wide profiles.
    """

    sub_slices: int = 3
    noise: tuple[float, float] = (0.003, 0.06)
    blur_voxels: tuple[float, float] = (0.1, 0.7)
    artefacts: float = 1.0


def _profile(rng: np.random.Generator, image: Tensor, scanner: Scanner) -> Tensor:
    """Weighted mean over the sub-slices of every slice.

    Some images are made of slices thinner than their distance, many of thicker ones: real profiles
    have tails, and most archives hold images that were interpolated before.
    """
    sub_slices, kind = scanner.sub_slices, rng.random()
    if kind < 0.22 * scanner.artefacts:
        return image[sub_slices // 2 :: sub_slices].contiguous()
    tails = np.ones(1)
    if kind < 0.6 * scanner.artefacts:
        tails = gaussian(float(rng.uniform(0.25, 0.7)) * sub_slices, truncate=2.5)
    weights = np.ones(sub_slices)
    weights[[0, -1]] = rng.uniform(0.3, 1.0)
    profile = np.convolve(weights / weights.sum(), tails)
    return filtered(image, 0, profile, step=sub_slices, edges="edge")


def acquire(rng: np.random.Generator, image: Tensor, scanner: Scanner) -> Tensor:
    """Scan one painted picture.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    image : (R, I, P) float32 tensor
        Painted sub-slices.
    scanner : Scanner
        How strongly the image is spoiled.

    Returns
    -------
    (K, I, P) float32 tensor
        Slices, R / sub_slices of them, not negative.
    """
    wrap = rng.spawn(1)[0]  # its own stream: the pictures of older seeds stay what they were
    image = _profile(rng, image, scanner)
    image = _blurred(image, float(rng.uniform(*scanner.blur_voxels)))
    image = _shuffled(rng, image * _coil(rng, image), scanner)
    low, high = scanner.noise
    sd = low + (high - low) * rng.random() ** 2  # most images are quiet
    soft = float(rng.uniform(0.4, 0.8)) if rng.random() < 0.5 * scanner.artefacts else 0.0
    real, imaginary = (_grain(rng, image, soft) for _ in range(2))
    result = torch.hypot(image + sd * real, sd * imaginary)
    if wrap.random() < 0.06 * scanner.artefacts:
        _fold_over(wrap, result)
    return result


def _coil(rng: np.random.Generator, image: Tensor) -> Tensor:
    """Sensitivity of the coil, a factor per voxel."""
    k, i, p = image.shape
    bias = rng.uniform(0, 0.2) * smooth_field(rng, (k, i, p), (k, i / 2, p / 2), image.device)
    if rng.random() < 0.6:
        bias = bias + on_device(rng.uniform(0, 1.3) * np.linspace(-0.5, 0.5, p), image.device)
    return bias.exp_()


def _shuffled(rng: np.random.Generator, image: Tensor, scanner: Scanner) -> Tensor:
    """Cross-talk between slices, slices that jumped, a ghost along one axis."""
    if rng.random() < 0.5 * scanner.artefacts:
        share = rng.uniform(0.03, 0.22)
        padded = torch.cat([image[:1], image, image[-1:]])
        image = (image + share * (padded[:-2] + padded[2:])) / (1 + 2 * share)
    if rng.random() < 0.2 * scanner.artefacts:
        shifts = np.rint(rng.normal(0, 0.6, (image.shape[0], 2))).astype(int).tolist()
        moved = [torch.roll(x, d, (0, 1)) for x, d in zip(image, shifts, strict=True)]
        image = torch.stack(moved)
    if rng.random() < 0.3 * scanner.artefacts:
        shift, axis = int(rng.integers(5, 50)), int(rng.integers(1, 3))
        image = image + rng.uniform(0, 0.06) * torch.roll(image, shift, axis)
    return image


def _blurred(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur in the plane."""
    weights = gaussian(sigma)
    return filtered(filtered(image, 1, weights), 2, weights)


def _fold_over(rng: np.random.Generator, image: Tensor) -> None:
    """Lay what lies outside of one edge over the opposite one, as too small a field does."""
    axis = int(rng.integers(1, 3))
    n = image.shape[axis]
    width = int(rng.uniform(0.04, 0.2) * n)
    edge, beyond = (0, n - width)
    if rng.random() < 0.5:
        edge, beyond = beyond, edge
    share = rng.uniform(0.3, 1.0)
    image.narrow(axis, edge, width).add_(image.narrow(axis, beyond, width), alpha=share)


def _grain(rng: np.random.Generator, image: Tensor, soft: float) -> Tensor:
    """Noise of unit variance; ``soft`` = in-plane smoothness of an interpolated image, voxels."""
    noise = grain(rng, image.shape, image.device)
    if soft > 0:
        noise = _blurred(noise, soft)
        noise = noise / noise.square().mean(dtype=torch.float64).sqrt()
    return noise

"""From painted sub-slices to the slices of a scanner: coil, blur, profile, noise, wrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from app.synthetic.noise import smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating]


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


def _profile(rng: np.random.Generator, image: Array, scanner: Scanner) -> Array:
    """Weighted mean over the sub-slices of every slice.

    Some images are made of slices thinner than their distance, many of thicker ones: real profiles
    have tails, and most archives hold images that were interpolated before.
    """
    sub_slices, kind = scanner.sub_slices, rng.random()
    if kind < 0.22 * scanner.artefacts:
        centre: Array = np.ascontiguousarray(image[sub_slices // 2 :: sub_slices])
        return centre
    if kind < 0.6 * scanner.artefacts:
        width = float(rng.uniform(0.25, 0.7)) * sub_slices
        image = ndimage.gaussian_filter1d(image, width, axis=0, mode="nearest", truncate=2.5)
    slices = image.reshape(-1, sub_slices, *image.shape[1:])
    weights = np.ones(sub_slices)
    weights[[0, -1]] = rng.uniform(0.3, 1.0)
    weights /= weights.sum()
    mean: Array = np.einsum("ksip,s->kip", slices, weights.astype(np.float32))
    return mean


def acquire(rng: np.random.Generator, image: Array, scanner: Scanner) -> Array:
    """Scan one painted picture.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    image : (R, I, P) float32 ndarray
        Painted sub-slices.
    scanner : Scanner
        How strongly the image is spoiled.

    Returns
    -------
    (K, I, P) float32 ndarray
        Slices, R / sub_slices of them, not negative.
    """
    wrap = rng.spawn(1)[0]  # its own stream: the pictures of older seeds stay what they were
    image = _profile(rng, image, scanner)
    shape = (image.shape[0], image.shape[1], image.shape[2])
    image = ndimage.gaussian_filter(image, (0, *(float(rng.uniform(*scanner.blur_voxels)),) * 2))
    bias = rng.uniform(0, 0.2) * smooth_noise(rng, shape, (shape[0], shape[1] / 2, shape[2] / 2))
    if rng.random() < 0.6:
        bias = bias + rng.uniform(0, 1.3) * np.linspace(-0.5, 0.5, shape[2], dtype=np.float32)
    image = image * np.exp(bias)
    if rng.random() < 0.5 * scanner.artefacts:
        share = rng.uniform(0.03, 0.22)
        padded = np.pad(image, ((1, 1), (0, 0), (0, 0)), mode="edge")
        image = (image + share * (padded[:-2] + padded[2:])) / (1 + 2 * share)
    if rng.random() < 0.2 * scanner.artefacts:
        shifts = np.rint(rng.normal(0, 0.6, (shape[0], 2))).astype(int)
        image = np.stack([np.roll(x, tuple(d), (0, 1)) for x, d in zip(image, shifts, strict=True)])
    if rng.random() < 0.3 * scanner.artefacts:
        shift, axis = int(rng.integers(5, 50)), int(rng.integers(1, 3))
        image = image + rng.uniform(0, 0.06) * np.roll(image, shift, axis)
    low, high = scanner.noise
    sd = low + (high - low) * rng.random() ** 2  # most images are quiet
    soft = float(rng.uniform(0.4, 0.8)) if rng.random() < 0.5 * scanner.artefacts else 0.0
    grain = [_grain(rng, shape, soft) for _ in range(2)]
    result: Array = np.hypot(image + sd * grain[0], sd * grain[1]).astype(np.float32)
    if wrap.random() < 0.06 * scanner.artefacts:
        _fold_over(wrap, result)
    return result


def _fold_over(rng: np.random.Generator, image: Array) -> None:
    """Lay what lies outside of one edge over the opposite one, as too small a field does."""
    axis = int(rng.integers(1, 3))
    n = image.shape[axis]
    width = int(rng.uniform(0.04, 0.2) * n)
    edge, beyond = (slice(0, width), slice(n - width, n))
    if rng.random() < 0.5:
        edge, beyond = beyond, edge
    here, there = ([slice(None)] * 3 for _ in range(2))
    here[axis], there[axis] = edge, beyond
    image[tuple(here)] += np.float32(rng.uniform(0.3, 1.0)) * image[tuple(there)]


def _grain(rng: np.random.Generator, shape: tuple[int, int, int], soft: float) -> Array:
    """Noise of unit variance; ``soft`` = in-plane smoothness of an interpolated image, voxels."""
    noise: Array = rng.standard_normal(shape, dtype=np.float32)
    if soft > 0:
        noise = ndimage.gaussian_filter(noise, (0, soft, soft))
        noise = noise / np.float32(noise.std())
    return noise

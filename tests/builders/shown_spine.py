"""The spine that the stand-in networks paint, and images that show it; loads no network."""

from __future__ import annotations

import numpy as np

from tests.builders.mr_phantom import SeriesOptions

PITCH_MM = 32.0
"""Distance from one vertebra to the next: body 24 mm, disc 8 mm."""
BODY_MM = 24.0


def paint_spine(labels: np.ndarray, spacing: tuple[float, float, float]) -> None:
    """Paint into [R, I, P]: lateral, downwards, backwards, in mm around the middle."""
    r, i, p = (
        (np.arange(n) - (n - 1) / 2) * step for n, step in zip(labels.shape, spacing, strict=True)
    )
    phase = np.mod(i, PITCH_MM)
    inside = _without_slivers(i, labels.shape[1] * spacing[1] / 2 - 6)[None, :, None]
    wide = (np.abs(r) < 18)[:, None, None]
    front = ((p > -35) & (p < -5))[None, None, :]
    body, disc = (phase < BODY_MM)[None, :, None], (phase >= BODY_MM)[None, :, None]
    labels[wide & front & body & inside] = 49
    labels[wide & front & disc & inside] = 100
    labels[(np.abs(r) < 9)[:, None, None] & ((p > -4) & (p < 8))[None, None, :] & inside] = 61
    arch = ((phase > 6) & (phase < 20))[None, :, None]
    behind = ((p > 9) & (p < 18))[None, None, :]
    labels[(np.abs(r) < 10)[:, None, None] & behind & arch & inside] = 41


def _without_slivers(i: np.ndarray, half_mm: float) -> np.ndarray:
    """Heights within the field, less a piece of a body of under 12 mm at either border."""
    below = np.mod(half_mm, PITCH_MM)  # of the body that the lower border cuts
    above = BODY_MM - np.mod(-half_mm, PITCH_MM)  # of the one that the upper border cuts
    start = -half_mm + (above if 0 < above < 12 else 0)
    end = half_mm - (below if below < 12 else 0)
    return (i > start) & (i < end)


def spine_image(shape: tuple[int, ...] = (64, 100, 13)) -> np.ndarray:
    """Voxels [A, I, R] on `SAGITTAL_RAS` that show what the stand-in paints."""
    return _shown(shape[::-1], (3.3, 1.5, 1.5)).astype(np.int16).T[::-1]


def _shown(shape: tuple[int, ...], spacing: tuple[float, float, float]) -> np.ndarray:
    """Intensities [R, I, P] of what the stand-in paints."""
    labels = np.zeros(shape, np.uint8)
    paint_spine(labels, spacing)
    brightness = np.full(101, 60)
    brightness[[41, 49, 61, 100]] = 300, 300, 900, 450
    return brightness[labels] + np.random.default_rng(0).normal(0, 12, shape)


def spine_of(options: SeriesOptions) -> np.ndarray:
    shape = (options.slices, options.rows, options.columns)
    return _shown(shape, (options.slice_distance_mm, *options.pixel_spacing)).astype(np.int32)

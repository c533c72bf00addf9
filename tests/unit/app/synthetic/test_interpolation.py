"""Interpolation and smoothing of tensors against NumPy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from app.synthetic.interpolation import interpolate, on_device, resized, smoothed


def test_a_piecewise_linear_function_is_that_of_numpy_also_beyond_its_ends() -> None:
    at, values = [-3.0, 0.5, 2.0, 9.0], [1.0, -4.0, 4.0, 0.0]
    x = np.linspace(-6, 12, 181, dtype=np.float32).reshape(1, -1)
    found = interpolate(torch.from_numpy(x), at, values)
    assert found.shape == x.shape
    assert found.numpy() == pytest.approx(np.interp(x, at, values), abs=1e-5)


@pytest.mark.parametrize(("axis", "size"), [(0, 7), (1, 2), (2, 31), (2, 1)])
def test_resizing_keeps_the_ends_and_is_linear_between(axis: int, size: int) -> None:
    field = np.random.default_rng(0).standard_normal((3, 4, 6)).astype(np.float32)
    at = np.linspace(0, field.shape[axis] - 1, size) if size > 1 else np.zeros(1)
    expected = np.apply_along_axis(lambda v: np.interp(at, np.arange(len(v)), v), axis, field)
    found = resized(torch.from_numpy(field), axis, size)
    assert found.numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("sigma", [0.05, 0.3, 0.8, 2.5])
@pytest.mark.parametrize("axis", [0, 1])
def test_smoothing_is_scipys_gaussian_with_mirrored_edges(sigma: float, axis: int) -> None:
    field = np.random.default_rng(1).standard_normal((9, 40)).astype(np.float32)
    expected = ndimage.gaussian_filter1d(field, sigma, axis=axis)
    assert smoothed(torch.from_numpy(field), sigma, axis).numpy() == pytest.approx(
        expected, abs=1e-6
    )


def test_smoothing_white_noise_by_2_voxels_leaves_a_seventh_of_its_variance() -> None:
    """A Gaussian's squared weights sum to 1 / (2 sqrt(pi) sigma)."""
    field = torch.from_numpy(np.random.default_rng(2).standard_normal((200, 500)))
    left = float(smoothed(field, 2.0, 1).var())
    assert left == pytest.approx(1 / (4 * np.sqrt(np.pi)), rel=0.03)


def test_numbers_become_float32() -> None:
    made = on_device([1, 2.5], "cpu")
    assert (made.dtype, made.tolist()) == (torch.float32, [1.0, 2.5])

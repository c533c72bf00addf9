"""Interpolation and smoothing of tensors against NumPy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from app.research.synthetic.interpolation import filtered, gaussian, interpolate, on_device, resized


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
@pytest.mark.parametrize(("edges", "mode"), [("symmetric", "reflect"), ("edge", "nearest")])
def test_a_gaussian_filter_is_that_of_scipy_also_at_the_edges(
    sigma: float, axis: int, edges: str, mode: str
) -> None:
    field = np.random.default_rng(1).standard_normal((9, 40)).astype(np.float32)
    expected = ndimage.gaussian_filter1d(field, sigma, axis=axis, mode=mode)
    found = filtered(torch.from_numpy(field), axis, gaussian(sigma), edges=edges)
    assert found.numpy() == pytest.approx(expected, abs=1e-6)


def test_no_blur_leaves_the_field() -> None:
    field = torch.arange(6.0).view(2, 3)
    assert torch.equal(filtered(field, 1, gaussian(0.0)), field)


def test_windows_of_5_samples_3_apart_reach_one_sample_beyond_each_edge() -> None:
    field = torch.arange(9.0)[:, None].expand(9, 4)
    weights = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    found = filtered(field, 0, weights, step=3, edges="edge")
    assert found.shape == (3, 4)
    assert found[:, 2].tolist() == pytest.approx([1.1, 4.0, 6.9])


def test_smoothing_white_noise_by_2_voxels_leaves_a_seventh_of_its_variance() -> None:
    """A Gaussian's squared weights sum to 1 / (2 sqrt(pi) sigma)."""
    field = torch.from_numpy(np.random.default_rng(2).standard_normal((200, 500)))
    left = float(filtered(field, 1, gaussian(2.0)).var())
    assert left == pytest.approx(1 / (4 * np.sqrt(np.pi)), rel=0.03)


def test_numbers_become_float32() -> None:
    made = on_device([1, 2.5], "cpu")
    assert (made.dtype, made.tolist()) == (torch.float32, [1.0, 2.5])

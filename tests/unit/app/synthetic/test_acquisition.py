"""Painted sub-slices become slices."""

from __future__ import annotations

import numpy as np
import pytest

from app.synthetic.acquisition import Scanner, acquire

QUIET = Scanner(sub_slices=3, noise=(0.0, 1e-9), blur_voxels=(0.01, 0.02), artefacts=0.0)


def test_three_sub_slices_make_one_slice() -> None:
    made = acquire(np.random.default_rng(0), np.ones((12, 20, 16), np.float32), QUIET)
    assert made.shape == (4, 20, 16)
    assert float(made.min()) > 0


def test_a_uniform_object_varies_only_by_the_coil() -> None:
    made = acquire(np.random.default_rng(4), np.ones((9, 20, 16), np.float32), QUIET)
    profile = made.mean(axis=(0, 1))
    assert float(np.abs(np.diff(profile)).max()) < 0.2


def test_noise_of_0_05_in_air_has_the_rayleigh_mean() -> None:
    scanner = Scanner(noise=(0.05, 0.05 + 1e-9), blur_voxels=(0.01, 0.02), artefacts=0.0)
    made = acquire(np.random.default_rng(5), np.zeros((30, 60, 60), np.float32), scanner)
    assert float(made.mean()) == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.03)

"""Painted sub-slices become slices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from app.research.synthetic.acquisition import Scanner, acquire

QUIET = Scanner(sub_slices=3, noise=(0.0, 1e-9), blur_voxels=(0.01, 0.02), artefacts=0.0)


def test_three_sub_slices_make_one_slice() -> None:
    made = acquire(np.random.default_rng(0), torch.ones(12, 20, 16), QUIET)
    assert made.shape == (4, 20, 16)
    assert float(made.min()) > 0


def test_a_uniform_object_varies_only_by_the_coil() -> None:
    made = acquire(np.random.default_rng(4), torch.ones(9, 20, 16), QUIET)
    profile = made.mean(dim=(0, 1))
    assert float(profile.diff().abs().max()) < 0.2


def test_noise_of_0_05_in_air_has_the_rayleigh_mean() -> None:
    scanner = Scanner(noise=(0.05, 0.05 + 1e-9), blur_voxels=(0.01, 0.02), artefacts=0.0)
    made = acquire(np.random.default_rng(5), torch.zeros(30, 60, 60), scanner)
    assert float(made.mean()) == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.03)


def test_the_profile_mixes_slices_unless_the_scan_is_of_thin_ones() -> None:
    """A single bright slice in the middle: its neighbours see some of it in most scans."""
    painted = torch.zeros(9, 40, 40)
    painted[3:6] = 1.0
    leaks = []
    for seed in range(60):
        made = acquire(np.random.default_rng(seed), painted, Scanner(noise=(0.0, 1e-9)))
        leaks.append(float(made[0].mean() / made[1].mean()))
    assert np.mean(np.array(leaks) < 0.01) > 0.05
    assert np.mean(np.array(leaks) > 0.05) > 0.3
    assert max(leaks) < 0.7


def test_wrap_adds_the_opposite_edge_in_a_few_scans() -> None:
    painted = torch.zeros(3, 60, 60)
    painted[:, 54:] = 1.0
    scanner = Scanner(noise=(0.0, 1e-9), blur_voxels=(0.01, 0.02))
    top = [
        float(acquire(np.random.default_rng(seed), painted, scanner)[:, :3].mean())
        for seed in range(150)
    ]
    assert 0 < np.mean(np.array(top) > 0.15) < 0.1

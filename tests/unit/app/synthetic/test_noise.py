"""Smooth noise is seeded, smooth and of about unit size."""

from __future__ import annotations

import numpy as np

from app.synthetic.noise import smooth_noise


def test_noise_has_mean_0_and_a_standard_deviation_about_1() -> None:
    field = smooth_noise(np.random.default_rng(1), (40, 60, 50), (4.0, 4.0, 4.0))
    assert abs(float(field.mean())) < 0.1
    assert 0.6 < float(field.std()) < 1.2


def test_neighbours_differ_by_at_most_a_knot_step() -> None:
    field = smooth_noise(np.random.default_rng(2), (8, 64, 64), (8.0, 16.0, 16.0))
    assert float(np.abs(np.diff(field, axis=1)).max()) < 1.6 * 9 / 12


def test_the_same_seed_gives_the_same_noise() -> None:
    a, b = (smooth_noise(np.random.default_rng(3), (5, 6, 7), (2.0, 2.0, 2.0)) for _ in range(2))
    assert np.array_equal(a, b)

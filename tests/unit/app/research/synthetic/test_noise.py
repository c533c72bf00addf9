"""Smooth noise is seeded, smooth and of about unit size."""

from __future__ import annotations

import numpy as np
import pytest

from app.research.synthetic.noise import grain, smooth_field, smooth_noise


def test_noise_has_mean_0_and_a_standard_deviation_about_1() -> None:
    field = smooth_noise(np.random.default_rng(1), (40, 60, 50), (4.0, 4.0, 4.0))
    assert abs(float(field.mean())) < 0.1
    assert 0.6 < float(field.std()) < 1.2


def test_trilinear_noise_over_many_knots_has_a_standard_deviation_of_0_87() -> None:
    """Along an axis a mix of two knots has on average 2/3 of their variance."""
    field = smooth_noise(np.random.default_rng(6), (130, 130, 130), (5.0, 5.0, 5.0))
    assert float(field.std()) == pytest.approx(1.6 * (2 / 3) ** 1.5, rel=0.03)


def test_neighbours_differ_by_at_most_a_knot_step() -> None:
    field = smooth_noise(np.random.default_rng(2), (8, 64, 64), (8.0, 16.0, 16.0))
    assert float(np.abs(np.diff(field, axis=1)).max()) < 1.6 * 9 / 12


def test_the_same_seed_gives_the_same_noise() -> None:
    a, b = (smooth_noise(np.random.default_rng(3), (5, 6, 7), (2.0, 2.0, 2.0)) for _ in range(2))
    assert np.array_equal(a, b)


def test_fields_are_drawn_by_the_given_generator_wherever_they_are_wanted() -> None:
    rng, twin = np.random.default_rng(4), np.random.default_rng(4)
    white = grain(rng, (3, 4, 5), "cpu")
    assert np.array_equal(white.numpy(), twin.standard_normal((3, 4, 5), dtype=np.float32))
    field = smooth_field(rng, (6, 7, 8), (3.0, 3.0, 3.0), "cpu")
    assert np.array_equal(field.numpy(), smooth_noise(twin, (6, 7, 8), (3.0, 3.0, 3.0)))
    assert rng.random() == twin.random()

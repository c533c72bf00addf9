"""Signed distances against what geometry says."""

from __future__ import annotations

import numpy as np
import pytest

from app.synthetic.primitives import capsule, ellipsoid, rounded_box, superellipse


def point(a: float, b: float, c: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.float32([a]), np.float32([b]), np.float32([c])


@pytest.mark.parametrize(
    ("where", "distance"), [((5, 3, 0), 1.0), ((-4, 0, 0), 2.0), ((5, 0, 0), -2.0), ((13, 0, 4), 3)]
)
def test_a_capsule_of_radius_2_from_0_to_10(where: tuple[float, ...], distance: float) -> None:
    found = capsule(point(*where), (0, 0, 0), (10, 0, 0), 2.0)
    assert found[0] == pytest.approx(distance, abs=1e-5)


@pytest.mark.parametrize(("where", "distance"), [((6, 0, 0), 2.0), ((0, 0, 0), -3.0)])
def test_a_box_of_half_sizes_4_3_5(where: tuple[float, ...], distance: float) -> None:
    found = rounded_box(point(*where), (0, 0, 0), (4, 3, 5), 1.0)
    assert found[0] == pytest.approx(distance, abs=1e-5)


def test_surfaces_of_ellipsoid_and_superellipse_have_distance_0() -> None:
    assert ellipsoid(point(0, 6, 0), (0, 0, 0), (4, 6, 5))[0] == pytest.approx(0, abs=1e-6)
    on_axis = superellipse(np.float32([7]), np.float32([0]), (7.0, 9.0), 2.3)
    assert on_axis[0] == pytest.approx(0, abs=1e-5)

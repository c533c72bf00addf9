"""Signed distances against what geometry says."""

from __future__ import annotations

import math

import pytest
import torch

from app.research.synthetic.primitives import capsule, ellipsoid, rounded_box, superellipse


def point(a: float, b: float, c: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.tensor([float(a)]), torch.tensor([float(b)]), torch.tensor([float(c)])


@pytest.mark.parametrize(
    ("where", "distance"), [((5, 3, 0), 1.0), ((-4, 0, 0), 2.0), ((5, 0, 0), -2.0), ((13, 0, 4), 3)]
)
def test_a_capsule_of_radius_2_from_0_to_10(where: tuple[float, ...], distance: float) -> None:
    found = capsule(point(*where), (0, 0, 0), (10, 0, 0), 2.0)
    assert float(found) == pytest.approx(distance, abs=1e-5)


@pytest.mark.parametrize(("where", "distance"), [((6, 0, 0), 2.0), ((0, 0, 0), -3.0)])
def test_a_box_of_half_sizes_4_3_5(where: tuple[float, ...], distance: float) -> None:
    found = rounded_box(point(*where), (0, 0, 0), (4, 3, 5), 1.0)
    assert float(found) == pytest.approx(distance, abs=1e-5)


def test_surfaces_of_ellipsoid_and_superellipse_have_distance_0() -> None:
    assert float(ellipsoid(point(0, 6, 0), (0, 0, 0), (4, 6, 5))) == pytest.approx(0, abs=1e-6)
    a, c, _ = point(7, 0, 0)
    assert float(superellipse(a, c, (7.0, 9.0), 2.3)) == pytest.approx(0, abs=1e-5)
    varying = (torch.tensor([7.0]), torch.tensor([9.0]))
    assert float(superellipse(a, c, varying, 2.3)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("shape", "volume"),
    [
        ("capsule", math.pi * 4**2 * 10 + 4 / 3 * math.pi * 4**3),
        ("box", 8 * 9 * 6 * 4),
        ("ellipsoid", 4 / 3 * math.pi * 9 * 6 * 4),
    ],
)
def test_shapes_on_a_grid_of_0_4_mm_have_their_volume_within_1_percent(
    shape: str, volume: float
) -> None:
    place = torch.meshgrid(*(torch.arange(-12.3, 12.5, 0.4),) * 3, indexing="ij")
    distance = {
        "capsule": capsule(place, (-5, 0, 0), (5, 0, 0), 4.0),
        "box": rounded_box(place, (0, 0, 0), (9, 6, 4), 0.5),
        "ellipsoid": ellipsoid(place, (0, 0, 0), (9, 6, 4)),
    }[shape]
    assert float((distance < 0).sum()) * 0.4**3 == pytest.approx(volume, rel=0.01)

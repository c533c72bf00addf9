"""Bodies are narrower half way down, wider at their rims, and carry what disease does to them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from app.research.synthetic.bodies import body_surfaces, wear_of
from app.research.synthetic.frames import Frame
from app.research.synthetic.subject import Subject, draw_subject


def frame(subject: Subject, k: int) -> Frame:
    """Frame of 0.5 mm voxels around a body, arrays [c, b, a]."""
    half = [0.7 * x[k] for x in (subject.width, subject.height, subject.depth)]
    axes = (torch.arange(-h, h, 0.5) for h in half)
    c, b, a = torch.meshgrid(*axes, indexing="ij")
    return Frame((slice(None),) * 3, a, b, c)


def healthy(seed: int) -> tuple[Subject, int]:
    subject = draw_subject(np.random.default_rng(seed))
    fractures = replace(
        subject.fractures,
        wedge=0 * subject.fractures.wedge,
        hollow=0 * subject.fractures.hollow + 1,
        burst=0 * subject.fractures.burst,
    )
    none = 0 * subject.degeneration
    subject = replace(subject, fractures=fractures, degeneration=none)
    return subject, subject.index("L3")


def width_at(place: Frame, body: torch.Tensor, low: float, high: float) -> float:
    """Lateral extent of the body between two heights, as shares of the height, at a = 0."""
    rows = (place.b > low) & (place.b < high) & (place.a.abs() < 1)
    inside = place.c[(body < 0) & rows]
    return float(inside.max() - inside.min())


@pytest.mark.parametrize("seed", range(4))
def test_the_waist_is_5_to_40_percent_narrower_than_the_rims(seed: int) -> None:
    subject, k = healthy(seed)
    place = frame(subject, k)
    body = body_surfaces(np.random.default_rng(seed), subject, k, place).body
    h = subject.height[k]
    middle = width_at(place, body, -1, 1)
    rim = width_at(place, body, 0.30 * h, 0.42 * h)
    assert 0.6 < middle / rim < 0.97


def test_a_wedge_takes_height_in_front_and_a_burst_stands_into_the_canal() -> None:
    subject, k = healthy(1)
    place = frame(subject, k)
    volumes = {}
    for name, changes in {"none": {}, "wedge": {"wedge": 0.5}, "burst": {"burst": 5.0}}.items():
        fractures = subject.fractures
        for field, value in changes.items():
            array = getattr(fractures, field).copy()
            array[k] = value
            fractures = replace(fractures, **{field: array})
        person = replace(subject, fractures=fractures)
        body = body_surfaces(np.random.default_rng(3), person, k, place).body < 0
        front = body & (place.a < -0.2 * subject.depth[k])
        volumes[name] = (int(front.sum()), float(place.a[body].max()))
    assert volumes["wedge"][0] < 0.9 * volumes["none"][0]
    assert volumes["burst"][1] > volumes["none"][1] + 2


def test_an_undeformed_body_fills_82_percent_of_its_box_less_waist_and_hollows() -> None:
    """The area of |a/A|^n + |c/W|^n < 1 is 4 A W G(1 + 1/n)^2 / G(1 + 2/n)."""
    full = math.gamma(1 + 1 / 2.3) ** 2 / math.gamma(1 + 2 / 2.3)
    for seed in range(5):
        subject, k = healthy(seed)
        body = body_surfaces(np.random.default_rng(seed), subject, k, frame(subject, k)).body
        box = float(subject.depth[k] * subject.width[k] * subject.height[k])
        assert 0.6 * full < float((body < 0).sum()) * 0.5**3 / box < 0.95 * full


def test_wear_is_that_of_the_discs_above_and_below() -> None:
    subject, k = healthy(2)
    worn = subject.degeneration.copy()
    worn[k - 1], worn[k] = 0.3, 0.8
    wear = wear_of(replace(subject, degeneration=worn), k)
    assert (wear.above, wear.below, wear.broken) == (0.3, 0.8, False)

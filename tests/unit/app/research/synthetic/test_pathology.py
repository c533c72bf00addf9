"""Disease occurs, more often with age, and where it may."""

from __future__ import annotations

import numpy as np
import pytest

from app.research.synthetic.anatomy_tables import TYPICAL_LEVELS, column
from app.research.synthetic.pathology import (
    draw_fractures,
    draw_lateral,
    draw_slips,
    with_transitional_discs,
)

NAMES = [level.name for level in TYPICAL_LEVELS]
MOBILE = np.array([level.region in "TL" for level in TYPICAL_LEVELS])


def test_only_thoracic_and_lumbar_bodies_break_and_old_ones_more_often() -> None:
    broken = {}
    for age in (0.0, 1.0):
        drawn = [draw_fractures(np.random.default_rng(s), TYPICAL_LEVELS, age) for s in range(150)]
        present = np.array([f.present for f in drawn])
        assert not present[:, ~MOBILE].any()
        broken[age] = present[:, MOBILE].mean()
        assert max(f.wedge.max() for f in drawn) <= 0.5
    assert broken[1.0] > 2 * broken[0.0] > 0.02


def test_every_kind_of_fracture_occurs() -> None:
    drawn = [draw_fractures(np.random.default_rng(s), TYPICAL_LEVELS, 1.0) for s in range(100)]
    assert any((f.wedge > 0.2).any() for f in drawn)
    assert any((f.hollow > 2.5).any() for f in drawn)
    assert any((f.burst > 2).any() for f in drawn)


def test_slips_reach_9_mm_and_spare_the_sacrum() -> None:
    slips = np.array(
        [draw_slips(np.random.default_rng(s), TYPICAL_LEVELS, 1.0) for s in range(200)]
    )
    assert 6 < slips.max() <= 9
    assert slips.min() >= -4.5
    assert not slips[:, NAMES.index("S1") :].any()


def test_one_spine_in_eight_is_scoliotic_by_more_than_8_mm() -> None:
    s = np.arange(0.0, 600.0)
    swing = [np.ptp(draw_lateral(np.random.default_rng(n), s, 600.0)) for n in range(300)]
    assert 0.08 < np.mean(np.array(swing) > 40) + np.mean(np.abs(np.array(swing) - 30) < 10) < 0.6
    assert np.median(swing) < 30


def test_transitional_spines_have_a_thin_disc_above_s1_or_a_real_one_below() -> None:
    disc = column(TYPICAL_LEVELS, "disc")
    first = NAMES.index("S1")
    drawn = np.array(
        [
            with_transitional_discs(np.random.default_rng(s), TYPICAL_LEVELS, disc)
            for s in range(400)
        ]
    )
    assert np.mean(drawn[:, first - 1] < 5) == pytest.approx(0.06, abs=0.03)
    assert np.mean(drawn[:, first] > 3.4) == pytest.approx(0.08, abs=0.04)
    assert np.array_equal(drawn[:, : first - 1], np.tile(disc[: first - 1], (400, 1)))

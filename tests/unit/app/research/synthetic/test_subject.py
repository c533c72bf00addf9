"""Persons vary, and their spines stay spines."""

from __future__ import annotations

import numpy as np

from app.research.synthetic.subject import draw_subject


def people(count: int) -> list:
    return [draw_subject(np.random.default_rng(seed)) for seed in range(count)]


def test_centres_of_bodies_follow_each_other_downwards() -> None:
    for person in people(20):
        places = [person.curve.at(s)[1] for s in person.curve.level_s]
        assert np.all(np.diff(places) > 0)


def test_some_discs_of_mobile_levels_collapse_below_3_mm_and_most_do_not() -> None:
    heights = np.concatenate(
        [
            [d for d, level in zip(p.disc, p.levels, strict=True) if level.region == "L"]
            for p in people(60)
        ]
    )
    assert 0.02 < np.mean(heights < 3.0) < 0.3
    assert heights.min() > 1.0


def test_the_back_of_l5_is_lower_than_its_front() -> None:
    for person in people(10):
        assert person.lordotic[person.index("L5")] >= 0
        assert person.lordotic[person.index("T6")] == 0

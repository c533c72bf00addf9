"""The table of typical sizes and its variants."""

from __future__ import annotations

import pytest

from app.research.synthetic.anatomy_tables import TYPICAL_LEVELS, column, levels_with_variant


def test_the_usual_spine_has_24_mobile_and_5_sacral_levels() -> None:
    assert [level.name for level in TYPICAL_LEVELS[:2]] == ["C1", "C2"]
    assert [level.instance for level in TYPICAL_LEVELS] == [*range(1, 25), *[26] * 5]


@pytest.mark.parametrize(
    ("lumbar", "last", "instance"), [(4, "L4", 23), (5, "L5", 24), (6, "L6", 25)]
)
def test_the_level_above_s1_follows_the_number_of_lumbar_vertebrae(
    lumbar: int, last: str, instance: int
) -> None:
    levels = levels_with_variant(lumbar)
    above = levels[[level.name for level in levels].index("S1") - 1]
    assert (above.name, above.instance) == (last, instance)


def test_lumbar_bodies_are_taller_and_wider_than_cervical_ones() -> None:
    height, width = (column(TYPICAL_LEVELS, name) for name in ("height", "width"))
    assert height[19:24].min() > height[2:7].max()
    assert width[19:24].min() > width[2:7].max()

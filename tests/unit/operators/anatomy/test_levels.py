"""Names of levels with their reserve."""

from __future__ import annotations

import pytest

from operators.anatomy.levels import CERTAIN_LEVEL, PROBABLE_LEVEL, LevelName, level_text


@pytest.mark.parametrize(
    ("confidence", "text"),
    [
        (1.0, "L4"),
        (CERTAIN_LEVEL, "L4"),
        (CERTAIN_LEVEL - 1e-9, "probably L4"),
        (PROBABLE_LEVEL, "probably L4"),
        (PROBABLE_LEVEL - 1e-9, "level uncertain"),
        (0.0, "level uncertain"),
    ],
)
def test_the_reserve_follows_the_confidence(confidence: float, text: str) -> None:
    assert LevelName(23, confidence).text == text


def test_variants_have_names_of_their_own() -> None:
    assert [level_text(level) for level in (1, 7, 8, 19, 28, 20, 25, 26)] == [
        "C1",
        "C7",
        "T1",
        "T12",
        "T13",
        "L1",
        "L6",
        "part of the sacrum",
    ]


def test_plain_data_names_the_rival() -> None:
    name = LevelName(24, 0.81234, ("sacrum below the lowest vertebra",), 25)
    assert name.as_json() == {
        "text": "probably L5",
        "level": "L5",
        "confidence": 0.812,
        "rival": "L6",
        "evidence": ["sacrum below the lowest vertebra"],
        "centre_mm": [],
    }
    assert LevelName(24, 1.0).as_json()["rival"] is None

"""Names of levels with their reserve."""

from __future__ import annotations

import pytest

from operators.anatomy.colours import instance_colour
from operators.anatomy.levels import (
    ANATOMICAL,
    CERTAIN_LEVEL,
    PROBABLE_LEVEL,
    LevelName,
    are_numbers,
    level_text,
    numbering_text,
    tones_of,
)


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


@pytest.mark.parametrize(
    ("vertebrae", "levels", "text"),
    [
        ((), {}, "running numbers from the top, not anatomical"),
        ((2, 3), {}, "running numbers from the top beginning with 2, not anatomical"),
        (
            (1, 2),
            {1: LevelName(1, 0.5), 2: LevelName(2, 0.5)},
            "running numbers from the top beginning with 1 (taken for C1), not anatomical",
        ),
        (
            (2, 3),
            {2: LevelName(23, 1.0), 3: LevelName(24, 0.7)},
            "running numbers from the top beginning with 2, levels beside them",
        ),
        ((23, 24), {23: LevelName(23, 1.0), 24: LevelName(24, CERTAIN_LEVEL)}, ANATOMICAL),
    ],
)
def test_the_numbering_says_how_the_numbers_are_meant(
    vertebrae: tuple[int, ...], levels: dict[int, LevelName], text: str
) -> None:
    assert numbering_text(vertebrae, levels) == text


def test_numbers_are_levels_only_if_every_one_is_certain() -> None:
    sure = {19: LevelName(19, 1.0), 28: LevelName(28, 0.99), 20: LevelName(20, 0.98)}
    assert are_numbers(sure)
    assert not are_numbers({**sure, 20: LevelName(20, 0.97)})
    assert not are_numbers({2: LevelName(19, 1.0), 3: LevelName(20, 1.0)})


@pytest.mark.parametrize("confidence", [1.0, 0.3])
def test_a_level_has_one_colour_whatever_its_number(confidence: float) -> None:
    running = {n: LevelName(n + 18, confidence) for n in range(2, 7)}
    tones = tones_of(running)
    for n, name in running.items():
        for offset in (0, 100, 200):
            assert instance_colour(n + offset, tones) == instance_colour(name.level + offset)
    assert instance_colour(101, tones) == instance_colour(119)  # the disc of T12, above L1


def test_a_piece_of_the_sacrum_is_told_from_it_and_from_every_vertebra() -> None:
    tones = tones_of({8: LevelName(24, 0.9), 9: LevelName(26, 0.9)})
    others = {instance_colour(n) for n in (*range(1, 27), 28)}
    assert instance_colour(9, tones) not in others

"""Levels become the ids of a map, all of them or none."""

from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.levels import CERTAIN_LEVEL, LevelName
from operators.imaging.volume import LabelMap
from operators.spine.levels.measures import SpineMeasures, VertebraMeasures
from operators.spine.levels.numbers import (
    facts_with,
    levels_as_numbers,
    renumbered,
    station_with,
)
from operators.spine.levels.stations import Station


def labels_of(*labels: int) -> LabelMap:
    return LabelMap(np.array(labels, np.uint16).reshape(1, 1, -1), np.eye(4))


def numbers_in(labels: LabelMap) -> list[int]:
    return [int(n) for n in labels.labels_zyx.ravel()]


def test_one_doubtful_level_keeps_all_running_numbers() -> None:
    levels = {2: LevelName(22, 1.0), 3: LevelName(23, CERTAIN_LEVEL), 4: LevelName(24, 1.0)}
    assert levels_as_numbers(levels) == {2: 22, 3: 23, 4: 24}
    assert levels_as_numbers({**levels, 3: LevelName(23, CERTAIN_LEVEL - 1e-9)}) == {}
    assert levels_as_numbers({**levels, 5: LevelName(26, 1.0)}) == {}
    assert levels_as_numbers({}) == {}


@pytest.mark.parametrize(
    ("numbers", "before", "after"),
    [
        # T12, T13, L1 with discs, endplates, sacrum, and metal.
        (
            {2: 19, 3: 28, 4: 20},
            (0, 2, 3, 4, 102, 103, 104, 202, 203, 204, 26, 80),
            (0, 19, 28, 20, 119, 128, 120, 219, 228, 220, 26, 80),
        ),
        # Numbers that are free in one map are taken in the other.
        ({2: 3, 3: 4, 4: 5}, (2, 3, 4, 104, 203), (3, 4, 5, 105, 204)),
        # The disc above the topmost vertebra; above C1 there is none.
        ({2: 20, 3: 21}, (101, 2, 102, 3), (119, 20, 120, 21)),
        ({2: 1, 3: 2}, (101, 2, 102, 3), (0, 1, 101, 2)),
    ],
)
def test_discs_and_endplates_follow_their_vertebra(
    numbers: dict[int, int], before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    changed = renumbered(labels_of(*before), numbers)
    assert numbers_in(changed) == list(after)
    assert changed.labels_zyx.dtype == np.uint16


def test_an_empty_map_stays_empty() -> None:
    assert numbers_in(renumbered(labels_of(0, 0), {2: 20})) == [0, 0]


def test_facts_and_measures_name_the_same_bone() -> None:
    numbers = {2: 19, 3: 28}
    facts = ("vertebra_without_body: 3", "disc_in_parts: 102 (2)", "hot_voxels_capped: 3")
    assert facts_with(facts, numbers) == (
        "vertebra_without_body: 28",
        "disc_in_parts: 119 (2)",
        "hot_voxels_capped: 3",
    )
    bones = tuple(VertebraMeasures(n, np.zeros(3)) for n in (2, 3))
    spine = SpineMeasures(bones, (0, 1), has_atlas=False, has_sacrum=False, room_above_mm=0.0)
    station = station_with(Station(spine, "frame", {3: 28}), numbers)
    assert [bone.vertebra for bone in station.spine.vertebrae] == [19, 28]
    assert (station.frame, station.named) == ("frame", {28: 28})

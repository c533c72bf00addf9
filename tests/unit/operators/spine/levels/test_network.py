"""What the labelling network's answers weigh among the rows of levels."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from operators.anatomy.levels import CERTAIN_LEVEL
from operators.anatomy.vertebrae import LEVEL_NAMES
from operators.spine.levels.evidence import costs_of
from operators.spine.levels.measures import SpineMeasures, VertebraMeasures
from operators.spine.levels.names import name_stations
from operators.spine.levels.network import LEAST, MOST, network_costs, sayings_of, with_answers
from operators.spine.levels.path import choose, paths_over
from operators.spine.levels.stations import Station, from_json

PLAIN = [LEVEL_NAMES[n] for n in range(1, 25)]
EXACT = [*PLAIN[:19], "T13", *PLAIN[19:], "L6"]


def sure(names: list[str], name: str, share: float = 1.0) -> list[float]:
    rest = (1 - share) / (len(names) - 1)
    return [share if one == name else rest for one in names]


def bare(count: int) -> SpineMeasures:
    """Vertebrae of which nothing is measured."""
    bones = tuple(VertebraMeasures(n, np.array([0.0, 0.0, -30.0 * n])) for n in range(2, 2 + count))
    return SpineMeasures(
        bones, tuple(range(count)), has_atlas=False, has_sacrum=False, room_above_mm=0.0
    )


def said_of(names: str, head: str = "VERT", share: float = 1.0) -> SpineMeasures:
    known = PLAIN if head == "VERT" else EXACT
    row = names.split()
    answers = {n: {head: sure(known, name, share)} for n, name in enumerate(row, start=2)}
    return with_answers(bare(len(row)), answers)


def row_of(spine: SpineMeasures) -> list[str]:
    (names,) = name_stations([Station(spine)])
    return [LEVEL_NAMES[name.level] for name in names.values()]


@pytest.mark.parametrize("names", ["T10 T11 T12 L1", "L1 L2 L3 L4 L5", "C3 C4 C5", "T4 T5 T6"])
@pytest.mark.parametrize("head", ["VERT", "VERTEX", "VERTEXACT"])
def test_with_nothing_else_in_view_the_row_is_the_network_s(names: str, head: str):
    spine = said_of(names, head)
    assert row_of(spine) == names.split()
    (named,) = name_stations([Station(spine)])
    assert all("the labelling network" in name.evidence for name in named.values())
    # It alone states nothing.
    assert all(0.5 < name.confidence < CERTAIN_LEVEL for name in named.values())


def test_what_it_says_altogether_is_limited():
    spine = said_of("T9 T10 T11 T12 L1 L2 L3")
    costs = network_costs(spine, paths_over(spine.places))
    assert costs.min() == 0.0
    assert costs.max() == MOST


def test_against_the_sacrum_it_states_nothing():
    spine = replace(said_of("T12 L1 L2 L3 L4"), has_sacrum=True)
    (named,) = name_stations([Station(spine)])
    assert all(name.confidence < CERTAIN_LEVEL for name in named.values())
    agreeing = replace(said_of("L1 L2 L3 L4 L5"), has_sacrum=True)
    (named,) = name_stations([Station(agreeing)])
    assert all(name.confidence > 0.9 for name in named.values())


def test_an_unsure_network_says_little():
    paths = paths_over((0, 1, 2))
    strong, weak = (
        network_costs(said_of("L1 L2 L3", share=share), paths).max() for share in (1.0, 0.06)
    )
    assert 0.0 < weak < 0.3 * strong


def test_a_head_of_24_calls_t13_t12_and_l6_l5():
    twice = said_of("T11 T12 T12 L1 L2 L3 L4")
    assert row_of(twice) == ["T11", "T12", "T13", "L1", "L2", "L3", "L4"]
    said = sayings_of({"VERT": sure(PLAIN, "L5")})
    assert said["L5"] == said["L6"] == pytest.approx(0.0)
    assert said["L4"] == pytest.approx(np.log(LEAST))
    told = sayings_of({"VERT": sure(PLAIN, "T12"), "VERTT13": [0.1, 0.9]})
    assert told["T13"] > told["T12"]


def test_a_head_of_26_names_variants_itself():
    assert row_of(said_of("L4 L5 L6", "VERTEX"))[-1] == "L6"


def test_groups_and_regions_stand_for_their_members():
    said = sayings_of({"VERTGRP": [0.0] * 10 + [1.0, 0.0], "REGION": [0.0, 0.0, 1.0]})
    assert said["L3"] == said["L4"] > said["L5"] > said["T12"]
    assert {said[f"T{n}"] for n in range(1, 14)} == {said["C1"]}


def test_places_in_a_region_tell_rows_apart():
    paths = paths_over((0, 1, 2))
    roles = [[1.0, 0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1.0]]
    answers = {
        n: {"REGION": [0, 0, 1.0], "VERT": [1 / 24] * 24, "VERTREL": role}
        for n, role in enumerate(roles, start=2)
    }
    costs = network_costs(with_answers(bare(3), answers), paths)
    best = paths.levels[costs == costs.min()]
    assert {LEVEL_NAMES[level] for level in best[:, -1]} == {"L4", "L5", "L6"}
    assert paths.is_last[costs == costs.min()].all()


def test_what_it_does_not_see_whole_counts_less():
    answers = {"VERT": sure(PLAIN, "L2"), "FULLYVISIBLE": [1.0, 0.0]}
    seen = {**answers, "FULLYVISIBLE": [0.0, 1.0]}
    paths = paths_over((0,))
    weak, strong = (
        network_costs(with_answers(bare(1), {2: heads}), paths).max() for heads in (answers, seen)
    )
    assert weak == pytest.approx(strong / 2)


def test_no_network_costs_nothing():
    paths = paths_over((0, 1))
    assert not costs_of(bare(2), paths)["network"].any()
    assert sayings_of({"OTHER": [1.0]}) == {}


def test_other_series_learn_what_was_said():
    station = Station(said_of("T9 T10 T11"), "frame")
    again = from_json(station.as_json())
    assert again is not None
    for one, other in pairwise((station, again)):
        for bone, same in zip(one.spine.vertebrae, other.spine.vertebrae, strict=True):
            assert same.said == pytest.approx(bone.said, abs=1e-4)
    paths = paths_over(station.spine.places)
    assert choose(paths, costs_of(again.spine, paths)).levels == (16, 17, 18)
    assert "said" not in Station(bare(1), "frame").as_json()["vertebrae"][0]

"""What counting decides, and that nothing else is said without a reserve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from operators.anatomy.columns import column_of
from operators.anatomy.levels import CERTAIN_LEVEL
from operators.anatomy.vertebrae import LEVEL_NAMES
from operators.spine.levels.counting import is_counted
from operators.spine.levels.evidence import costs_of
from operators.spine.levels.measures import SpineMeasures
from operators.spine.levels.names import name_stations
from operators.spine.levels.path import choose, paths_over
from tests.unit.operators.spine.levels.test_stations import IDS, USUAL, station

FOUR, SIX = column_of(12, 4), column_of(12, 6)


def counted(spine: SpineMeasures, named: dict[int, int] | None = None) -> str:
    """Names of the vertebrae that counting decides."""
    paths = paths_over(spine.places).with_levels(named or {})
    choice = choose(paths, costs_of(spine, paths))
    decided = is_counted(spine, paths, choice)
    return " ".join(
        LEVEL_NAMES[level] for level, is_so in zip(choice.levels, decided, strict=True) if is_so
    )


@pytest.mark.parametrize(
    ("first", "last", "column", "decided"),
    [
        pytest.param("L1", "L5", USUAL, "", id="five lumbar ones may be the lower of six"),
        pytest.param("L2", "L5", USUAL, "", id="four may be all there are"),
        pytest.param("T12", "L5", USUAL, "L1 L2 L3 L4 L5", id="the ribs end, at T12 or T13"),
        pytest.param("T11", "L4", FOUR, "L1 L2 L3 L4", id="four are counted from the ribs"),
        pytest.param("T11", "L6", SIX, "L1 L2 L3 L4 L5 L6", id="and so are six"),
        pytest.param("T4", "T9", USUAL, "", id="one rib is like another"),
        pytest.param("C4", "C7", USUAL, "", id="so is one neck's vertebra like another"),
        pytest.param("C7", "T4", USUAL, "C7 T1 T2 T3 T4", id="the ribs begin"),
        pytest.param("C2", "C6", USUAL, "C2 C3 C4 C5 C6", id="C2"),
        pytest.param("C1", "C5", USUAL, "C1 C2 C3 C4 C5", id="C1"),
    ],
)
def test_bones_of_another_kind_are_what_is_counted_from(
    first: str, last: str, column: tuple[int, ...], decided: str
) -> None:
    assert counted(station(first, last, column).spine) == decided


def test_with_both_ends_in_view_everything_is_counted() -> None:
    for column in (USUAL, FOUR, SIX, column_of(13, 5), column_of(11, 5)):
        spine = station("C1", LEVEL_NAMES[column[-1]], column).spine
        assert counted(spine).split() == [LEVEL_NAMES[level] for level in column]


def test_a_vertebra_that_shows_neither_processes_nor_joints_is_none_to_count_from() -> None:
    loin = station("T12", "L5").spine
    top, *others = loin.vertebrae
    bare = {k: x for k, x in top.figures.items() if k in ("height", "depth", "tilt")}
    spine = replace(loin, vertebrae=(replace(top, figures=bare), *others))
    assert counted(spine) == ""


def test_across_a_gap_nothing_is_counted() -> None:
    whole = station("C1", "L5").spine
    kept = [n for n in range(len(whole.places)) if n != 9]
    spine = replace(
        whole,
        vertebrae=tuple(whole.vertebrae[n] for n in kept),
        places=tuple(whole.places[n] for n in kept),
    )
    assert counted(spine) == ""


def test_a_name_of_a_person_is_counted_from() -> None:
    assert counted(station("L1", "L5").spine, {4: IDS["L5"]}) == "L1 L2 L3 L4 L5"


def test_what_counting_leaves_open_has_a_reserve_however_well_its_sizes_fit() -> None:
    loin = station("L1", "L5")
    paths = paths_over(loin.spine.places)
    choice = choose(paths, costs_of(loin.spine, paths))
    (names,) = name_stations([loin])
    assert min(choice.confidence) > CERTAIN_LEVEL
    assert [name.text for name in names.values()] == [f"probably L{n}" for n in range(1, 6)]

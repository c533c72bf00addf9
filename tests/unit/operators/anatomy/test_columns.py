"""Columns of bones: what can stand below what, and rows that are moved along them."""

from __future__ import annotations

import pytest

from operators.anatomy.columns import is_possible, places_of, shifted
from operators.anatomy.vertebrae import LEVEL_NAMES

IDS = {name: level for level, name in LEVEL_NAMES.items()}


def ids(names: str) -> list[int]:
    return [IDS[name] for name in names.split()]


@pytest.mark.parametrize(
    ("row", "step", "moved"),
    [
        ("T11 T12 L1 L2", 1, "T12 L1 L2 L3"),
        ("T11 T12 L1 L2", -1, "T10 T11 T12 L1"),
        ("L4 L5", 1, "L5 -"),
        ("L4 L5 L6", -1, "L3 L4 L5"),
        ("L4 L5 sacrum", -1, "L3 L4 L5"),
        ("T12 T13 L1", -1, "T11 T12 T13"),
        ("T10 T11 L1", 1, "T11 L1 L2"),
        ("T12 L1 L3", 1, "L1 L2 L4"),
        ("C7 T1", -1, "C6 C7"),
    ],
)
def test_a_row_moves_along_the_column_that_holds_it(row: str, step: int, moved: str) -> None:
    names = {n: IDS[name] for n, name in enumerate(moved.split()) if name != "-"}
    assert shifted(ids(row), step) == names


@pytest.mark.parametrize(("row", "step"), [("C1 C2", -1), ("L5", 1), ("L6 sacrum", 1), ("", 1)])
def test_nothing_moves_over_an_end(row: str, step: int) -> None:
    assert shifted(ids(row), step) == {}


@pytest.mark.parametrize(
    ("places", "named", "possible"),
    [
        ((0, 1, 2), "T11 T12 L1", True),
        ((0, 1, 2), "T12 T13 L1", True),
        ((0, 1, 2), "T11 L1 L2", True),
        ((0, 1, 2), "T11 - T13", True),
        ((0, 1, 2), "L3 L4 sacrum", True),
        ((0, 1, 2), "L1 - L2", False),
        ((0, 1, 2), "L2 L1 -", False),
        ((0, 1, 2), "sacrum - -", False),
        ((0, 1, 2), "T11 T13 -", False),
        ((0, 1, 3), "L1 L2 L4", True),
        ((0, 1, 3), "L1 L2 L3", False),
        ((0, 1, 2), "- - C2", False),
        (tuple(range(28)), "C1", False),
    ],
)
def test_only_what_people_have_is_possible(
    places: tuple[int, ...], named: str, *, possible: bool
) -> None:
    given = {n: IDS[name] for n, name in enumerate(named.split()) if name != "-"}
    assert is_possible(places, given) is possible


def test_a_bone_that_is_left_out_leaves_out_a_place() -> None:
    assert places_of(ids("T12 L1 L3 L4")) == (0, 1, 3, 4)
    assert places_of(ids("T11 L1")) == (0, 1)
    assert places_of(ids("T13 L6")) == (0, 6)

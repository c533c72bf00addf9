"""The look asks few tiles, the middle first, changes no label, and ends what shows no body."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from operators.errors import InterruptedRunError, NoSpineFoundError
from operators.networks.first_look import Look, Tiles, look_at, spread_corners
from operators.networks.fold_votes import Answer
from operators.networks.semantic import load_semantic_model
from operators.networks.sliding_window import Tiling
from tests.builders.nnunet_folder import NAMES, Recipe, write_folder
from tests.unit.operators.networks.test_semantic import image

Sizes = tuple[int, int, int]

PATCH = (8, 16, 16)


@pytest.mark.parametrize("shape", [(8, 16, 16), (9, 40, 33), (20, 47, 16), (31, 64, 70)])
def test_the_tiles_looked_at_hold_every_voxel(shape: Sizes) -> None:
    starts = Tiling(PATCH, (0.5,) * 3).starts(shape)
    corners = spread_corners(starts, PATCH)
    seen = np.zeros(shape, bool)
    for corner in corners:
        seen[tuple(slice(c, c + p) for c, p in zip(corner, PATCH, strict=True))] = True
    assert seen.all()
    assert set(corners) <= set(itertools.product(*starts))
    assert len(corners) == len(set(corners)) <= int(np.prod([len(row) for row in starts]))


def test_the_middle_comes_first_and_few_are_asked() -> None:
    corners = spread_corners(([0], [0, 8, 16, 24, 32], [0, 8]), PATCH)
    assert corners[0][1] == 16
    assert {corner[1] for corner in corners} == {0, 16, 32}
    assert len(corners) == 6


def empty() -> Answer:
    return Answer(torch.zeros(1, 2, *PATCH))


def filled(*voxels: Sizes) -> Answer:
    """Class 1 at some voxels of the tile."""
    answer = empty()
    for voxel in voxels:
        answer.logits[(0, 1, *voxel)] = 1.0
    return answer


def occupied(answer: Answer) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = answer.logits[0, 1].numpy() > 0
    return found


LOOK = Look(lambda answer: bool(occupied(answer).any()), occupied)
INNER = np.zeros(PATCH, bool)
INNER[2:6, 4:12, 4:12] = True
ROW = Tiles(([0], [0, 8, 16, 24, 32], [0]), PATCH, INNER)
"""Five tiles one behind the other, of which 0, 16 and 32 show everything."""


def looked(
    answers: dict[int, Answer], *, heads: int = 2, at_a_time: int = 1
) -> tuple[set[int], set[int], list[int]]:
    """Rows of the tiles that were seen, of those that are needed, and as they were asked."""
    asked: list[int] = []

    def ask(corners: Sequence[Sizes]) -> list[Answer]:
        asked.extend(row for _, row, _ in corners)
        return [answers.get(row, empty()) for _, row, _ in corners]

    seen, needed = look_at(LOOK, ask, ROW, heads=heads, at_a_time=at_a_time)
    for (_, row, _), answer in seen.items():
        assert answer is answers.get(row, answer)
    return {row for _, row, _ in seen}, {row for _, row, _ in needed}, asked


def test_what_lies_in_the_middle_of_a_tile_between_makes_it_needed() -> None:
    # Row 15 of the tile at 0 is row 7 of the tile at 8; row 0 of that at 16 is row 8 of that at 8.
    assert looked({0: filled((4, 15, 8))})[:2] == ({0, 16, 32}, {8})
    assert looked({16: filled((4, 0, 8))})[:2] == ({0, 16, 32}, {8})
    assert looked({16: filled((4, 0, 8), (4, 12, 8))})[1] == {8, 24}


def test_what_lies_at_the_rim_of_a_tile_between_does_not() -> None:
    assert looked({0: filled((4, 9, 8), (0, 15, 8), (4, 15, 15))})[:2] == ({0, 16, 32}, set())


def test_nothing_wanted_in_any_tile_is_no_spine() -> None:
    with pytest.raises(NoSpineFoundError) as caught:
        looked({})
    assert caught.value.reasons == ("no_vertebral_body",)


@pytest.mark.parametrize(("at_a_time", "asked", "seen"), [(1, [16, 0], {0}), (2, [16, 0], {0, 16})])
def test_where_answers_are_large_the_look_ends_with_the_first_that_shows_it(
    at_a_time: int, asked: list[int], seen: set[int]
) -> None:
    found = looked({0: filled((4, 4, 4))}, heads=2**20, at_a_time=at_a_time)
    assert found == (seen, {0, 8, 16, 24, 32} - seen, asked)
    with pytest.raises(NoSpineFoundError):
        looked({}, heads=2**20)


def test_a_model_without_an_answer_of_a_body_finds_no_spine(tmp_path: Path) -> None:
    recipe = Recipe(config={"labels": {**NAMES, "1": "Endplate"}})
    model = load_semantic_model(write_folder(tmp_path, recipe))
    told: list[tuple[int, int]] = []
    with pytest.raises(NoSpineFoundError) as caught:
        model.segment(image(), lambda done, total: told.append((done, total)), needs_body=True)
    assert caught.value.reasons == ("no_vertebral_body",)
    assert {done for done, _ in told} == {0}
    assert 1 <= len(told) < told[0][1]
    model.segment(image())  # nobody asked


def test_where_everything_is_full_the_labels_are_those_without_a_look(tmp_path: Path) -> None:
    model = load_semantic_model(write_folder(tmp_path))
    plain, seen = (model.segment(image(), needs_body=asked) for asked in (False, True))
    assert np.array_equal(plain.labels.labels_zyx, seen.labels.labels_zyx)
    assert plain.certainty is not None
    assert seen.certainty is not None
    assert np.array_equal(plain.certainty.labels_zyx, seen.certainty.labels_zyx)


def test_a_look_can_be_cancelled(tmp_path: Path) -> None:
    def cancel(_done: int, _total: int) -> None:
        raise InterruptedRunError

    with pytest.raises(InterruptedRunError):
        load_semantic_model(write_folder(tmp_path)).segment(image(), cancel, needs_body=True)

"""The look asks few tiles, the middle first, changes no label, and ends what shows no body."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from operators.errors import InterruptedRunError, NoSpineFoundError
from operators.networks.first_look import first_to_show, spread_corners
from operators.networks.fold_votes import Answer
from operators.networks.semantic import load_semantic_model
from operators.networks.sliding_window import Tiling
from tests.builders.nnunet_folder import NAMES, Recipe, write_folder
from tests.unit.operators.networks.test_semantic import image

PATCH = (8, 16, 16)


@pytest.mark.parametrize("shape", [(8, 16, 16), (9, 40, 33), (20, 47, 16), (31, 64, 70)])
def test_the_tiles_looked_at_hold_every_voxel(shape: tuple[int, int, int]) -> None:
    starts = Tiling(PATCH, 0.5).starts(shape)
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


def answer() -> Answer:
    return Answer(torch.zeros(1, 2, *PATCH))


def test_it_ends_with_the_first_tile_that_shows_it() -> None:
    asked: list[tuple[int, int, int]] = []

    def ask(corner: tuple[int, int, int]) -> Answer:
        asked.append(corner)
        return answer()

    found = first_to_show(lambda _: len(asked) == 2, ask, ([0], [0, 16, 32], [0]), PATCH)
    assert asked == [(0, 16, 0), (0, 0, 0)]
    assert list(found) == [(0, 0, 0)]


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


def test_where_a_body_shows_the_labels_are_those_without_a_look(tmp_path: Path) -> None:
    model = load_semantic_model(write_folder(tmp_path))
    plain, looked = (model.segment(image(), needs_body=asked) for asked in (False, True))
    assert np.array_equal(plain.labels.labels_zyx, looked.labels.labels_zyx)
    assert plain.certainty is not None
    assert looked.certainty is not None
    assert np.array_equal(plain.certainty.labels_zyx, looked.certainty.labels_zyx)


def test_a_look_can_be_cancelled(tmp_path: Path) -> None:
    def cancel(_done: int, _total: int) -> None:
        raise InterruptedRunError

    with pytest.raises(InterruptedRunError):
        load_semantic_model(write_folder(tmp_path)).segment(image(), cancel, needs_body=True)

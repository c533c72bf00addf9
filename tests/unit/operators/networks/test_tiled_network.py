"""Tiles of an image: how far apart they are on every axis of the network."""

from pathlib import Path
from typing import Any

import pytest

from operators.networks.semantic import load_semantic_model
from tests.builders.nnunet_folder import Recipe, write_folder
from tests.unit.operators.networks.test_semantic import image


@pytest.mark.parametrize(
    ("config", "tiles"),
    [
        ({}, 3 * 2 * 2),  # 16 slices in tiles of 8: 0, 4, 8; in the plane 24 in tiles of 16: 0, 8
        ({"slice_step_size": 1.0}, 2 * 2 * 2),
        ({"slice_step_size": 0.25}, 5 * 2 * 2),
        ({"default_step_size": 1.0, "slice_step_size": 0.5}, 3 * 2 * 2),
        ({"default_step_size": 0.25}, 5 * 3 * 3),
    ],
)
@pytest.mark.parametrize("transpose", [(0, 1, 2), (2, 0, 1)])
def test_tiles_may_be_farther_apart_along_the_coarsest_axis(
    config: dict[str, Any], tiles: int, transpose: tuple[int, int, int], tmp_path: Path
) -> None:
    patch = tuple((8, 16, 16)[axis] for axis in transpose)
    folder = write_folder(tmp_path, Recipe(config=config, patch=patch, transpose=transpose))
    told: list[tuple[int, int]] = []
    load_semantic_model(folder).predict_on_model_grid(
        image((16, 24, 24)), lambda done, total: told.append((done, total))
    )
    assert told[-1] == (tiles, tiles)

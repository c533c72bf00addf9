"""Tiles of an image: as the plans name them, or the whole image at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from operators.networks.semantic import load_semantic_model
from tests.builders.nnunet_folder import Recipe, write_folder
from tests.unit.operators.networks.test_semantic import image


@pytest.mark.parametrize(
    ("config", "tiles"),
    [
        ({}, 3 * 2 * 2),  # 16 slices in tiles of 8: 0, 4, 8; in the plane 24 in tiles of 16: 0, 8
        ({"default_step_size": 0.25}, 5 * 3 * 3),
        ({"largest_tile": 16 * 24 * 24}, 1),
        ({"largest_tile": 16 * 16 * 24}, 2),
    ],
)
@pytest.mark.parametrize("transpose", [(0, 1, 2), (2, 0, 1)])
def test_the_configuration_says_what_a_tile_is(
    config: dict[str, Any], tiles: int, transpose: tuple[int, int, int], tmp_path: Path
) -> None:
    patch = tuple((8, 16, 16)[axis] for axis in transpose)
    folder = write_folder(tmp_path, Recipe(config=config, patch=patch, transpose=transpose))
    told: list[tuple[int, int]] = []
    load_semantic_model(folder).predict_on_model_grid(
        image((16, 24, 24)), lambda done, total: told.append((done, total))
    )
    assert told[-1] == (tiles, tiles)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_a_whole_image_is_seen_at_once_in_every_size(engine: Any, tmp_path: Path) -> None:
    folder = write_folder(tmp_path, Recipe(config={"largest_tile": 10**6}))
    model = load_semantic_model(folder, engine=engine)
    reference = load_semantic_model(folder, engine="torch")
    for shape in ((16, 24, 24), (9, 41, 18)):
        found, expected = (m.predict_on_model_grid(image(shape)) for m in (model, reference))
        assert np.array_equal(found.labels_zyx, expected.labels_zyx)
        assert found.labels_zyx.shape == shape

"""Training tiles look like what the network sees in use."""

from __future__ import annotations

import numpy as np
import pytest

from app.training.augmentation import TileGrid, draw_tile
from app.training.cases import Case
from app.training.supervision import CODE_OF_LABEL

MM = (3.3, 1.5, 1.5)


def one_sided_case() -> Case:
    """Bright box labelled 43 (left) at low R, 44 at high R; R grows to the right."""
    labels = np.zeros((16, 80, 80), np.uint8)
    labels[:8, 20:60, 20:60], labels[8:, 20:60, 20:60] = 43, 44
    image = np.where(labels > 0, 1.0, 0.2).astype(np.float16)
    return Case(image[None], labels, np.zeros_like(labels), MM)


@pytest.mark.parametrize("seed", range(6))
def test_left_stays_at_low_r_in_every_tile_mirrored_or_not(seed: int) -> None:
    tile = draw_tile(np.random.default_rng(seed), one_sided_case(), TileGrid((16, 48, 48), MM))
    left, right = (np.argwhere(tile.codes == CODE_OF_LABEL[n]) for n in (43, 44))
    if len(left) and len(right):
        assert left[:, 0].max() < right[:, 0].min()


@pytest.mark.parametrize("seed", range(6))
def test_tiles_have_the_wanted_shape_and_z_scored_values(seed: int) -> None:
    tile = draw_tile(np.random.default_rng(seed), one_sided_case(), TileGrid((16, 48, 64), MM))
    assert tile.image.shape == tile.codes.shape == (16, 48, 64)
    assert tile.image.dtype == np.float32
    assert float(np.abs(tile.image).max()) < 8


def test_a_tile_larger_than_the_case_is_filled_up() -> None:
    tile = draw_tile(np.random.default_rng(1), one_sided_case(), TileGrid((24, 128, 96), MM))
    assert tile.image.shape == (24, 128, 96)
    assert not tile.codes[:, :8, :4].any()


def test_tiles_of_half_the_spacing_show_twice_as_many_voxels_of_the_box() -> None:
    sizes = {}
    for spacing in (1.5, 0.75):
        grid = TileGrid((16, 192, 192), (3.3, spacing, spacing))
        tiles = [draw_tile(np.random.default_rng(s), one_sided_case(), grid) for s in range(8)]
        sizes[spacing] = np.median([np.count_nonzero(t.codes) for t in tiles])
    assert sizes[0.75] == pytest.approx(4 * sizes[1.5], rel=0.15)


def test_without_mirroring_the_left_part_keeps_the_low_slices_of_the_tile() -> None:
    grid = TileGrid((16, 48, 48), MM, mirror=False)
    for seed in range(6):
        tile = draw_tile(np.random.default_rng(seed), one_sided_case(), grid)
        left = np.argwhere(tile.codes == CODE_OF_LABEL[43])
        assert not len(left) or left[:, 0].max() < 8


def test_statistics_of_a_small_field_are_those_of_the_field() -> None:
    values = []
    for seed in range(40):
        tile = draw_tile(np.random.default_rng(seed), one_sided_case(), TileGrid((16, 64, 64), MM))
        values.append(float(tile.image[tile.codes > 0].mean()) if tile.codes.any() else 0.5)
    assert np.std(values) > 0.1  # brightness varies with the field of view

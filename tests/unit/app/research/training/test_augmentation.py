"""Training tiles look like what the network sees in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from app.research.training.augmentation import TileGrid, draw_tile
from app.research.training.cases import Case
from app.research.training.supervision import CODE_OF_LABEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def edge_along(axis_1: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First voxel (per R, P) along I that is set; only columns with a single edge, else -1."""
    edges = np.diff(axis_1.astype(np.int8), axis=1)
    is_single = (np.count_nonzero(edges, axis=1) == 1) & (edges.max(axis=1) == 1)
    return np.where(is_single, edges.argmax(axis=1), -1)


def test_targets_between_the_voxels_lie_where_the_tile_says() -> None:
    """Half a volume labelled, in voxels ten times finer than the tile's: the shift is by how much
    the edge of the labels comes earlier than the edge of the image.
    """
    labels = np.zeros((2, 800, 800), np.uint8)
    labels[:, 400:] = 49
    image = np.where(labels > 0, 1.0, 0.0).astype(np.float16)
    case = Case(image[None], labels, np.zeros_like(labels), (3.3, 0.15, 0.15))
    grid = TileGrid((2, 48, 48), MM, between=True)
    shifts, found = [], []
    for seed in range(60):
        tile = draw_tile(np.random.default_rng(seed), case, grid)
        bright = tile.image > (tile.image.max() + tile.image.min()) / 2
        of_image, of_labels = edge_along(bright), edge_along(tile.codes > 0)
        both = (of_image >= 0) & (of_labels >= 0)
        earlier = (of_image - of_labels)[both]
        if np.count_nonzero(both) >= 80 and np.abs(earlier).max() <= 1:  # no field cut it
            shifts.append(tile.shift_ip[0])
            found.append(float(earlier.mean()))
    assert len(shifts) >= 20
    assert np.abs(shifts).max() <= 0.5
    # A column's edge is rounded to a voxel; over the columns of a tile the rounding averages out.
    assert np.corrcoef(shifts, found)[0, 1] > 0.9
    assert np.polyfit(shifts, found, 1)[0] == pytest.approx(1.0, abs=0.15)


def test_targets_lie_on_the_voxels_unless_asked_otherwise() -> None:
    tile = draw_tile(np.random.default_rng(1), one_sided_case(), TileGrid((16, 48, 48), MM))
    assert tile.shift_ip == (0.0, 0.0)


def test_a_volume_of_one_slice_gives_tiles() -> None:
    labels = np.zeros((1, 80, 80), np.uint8)
    labels[:, 20:60, 20:60] = 49
    case = Case(np.where(labels, 1.0, 0.2).astype(np.float16)[None], labels, labels * 0, MM)
    for seed in range(12):
        tile = draw_tile(np.random.default_rng(seed), case, TileGrid((16, 48, 48), MM))
        assert np.isfinite(tile.image).all()

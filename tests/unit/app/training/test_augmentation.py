"""Training tiles look like what the network sees in use."""

from __future__ import annotations

import numpy as np
import pytest

from app.training.augmentation import CLASS_OF_LABEL, MIRRORED_LABEL, draw_tile
from app.training.cases import Case
from operators.anatomy.labels import MODEL_STRUCTURES


def one_sided_case() -> Case:
    """Bright box labelled 43 (left) at low R, 44 at high R; R grows to the right."""
    labels = np.zeros((16, 80, 80), np.uint8)
    labels[:8, 20:60, 20:60], labels[8:, 20:60, 20:60] = 43, 44
    image = np.where(labels > 0, 1.0, 0.2).astype(np.float16)
    return Case(image[None], labels, np.zeros_like(labels), 1.5)


def test_classes_follow_the_order_of_the_14_structures() -> None:
    assert [int(CLASS_OF_LABEL[s]) for s in MODEL_STRUCTURES] == list(range(1, 15))
    assert int(CLASS_OF_LABEL[50]) == 0


def test_a_mirror_swaps_43_with_44_and_keeps_49() -> None:
    assert (int(MIRRORED_LABEL[43]), int(MIRRORED_LABEL[46]), int(MIRRORED_LABEL[49])) == (
        44,
        45,
        49,
    )


@pytest.mark.parametrize("seed", range(6))
def test_left_stays_at_low_r_in_every_tile_mirrored_or_not(seed: int) -> None:
    tile = draw_tile(np.random.default_rng(seed), one_sided_case(), (16, 48, 48))
    left, right = (np.argwhere(tile.classes == CLASS_OF_LABEL[n]) for n in (43, 44))
    if len(left) and len(right):
        assert left[:, 0].max() < right[:, 0].min()


@pytest.mark.parametrize("seed", range(6))
def test_tiles_have_the_wanted_shape_and_z_scored_values(seed: int) -> None:
    tile = draw_tile(np.random.default_rng(seed), one_sided_case(), (16, 48, 64))
    assert tile.image.shape == tile.classes.shape == (16, 48, 64)
    assert tile.image.dtype == np.float32
    assert float(np.abs(tile.image).max()) < 8


def test_a_tile_larger_than_the_case_is_filled_up() -> None:
    tile = draw_tile(np.random.default_rng(1), one_sided_case(), (24, 128, 96))
    assert tile.image.shape == (24, 128, 96)
    assert not tile.classes[:, :8, :4].any()

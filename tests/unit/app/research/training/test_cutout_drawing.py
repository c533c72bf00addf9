"""Cut-outs for the instance network: the right vertebra in the middle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from app.research.training.cases import Case
from app.research.training.cutout_drawing import (
    CHANNEL_OF_LABEL,
    CutoutGrid,
    Spoiling,
    _bodies,
    _changed,
    draw_cutout,
)

GRID = CutoutGrid((80, 96, 24), (1.75, 1.75, 2.75))


def column_of_bodies() -> Case:
    """Bodies 20-23, each 18 voxels high, 4 voxels apart, with a posterior element each."""
    labels = np.zeros((16, 110, 90), np.uint8)
    numbers = np.zeros_like(labels)
    for place, number in enumerate(range(20, 24)):
        top = 10 + 22 * place
        labels[3:13, top : top + 18, 20:50] = 49
        labels[6:10, top : top + 18, 60:80] = 42
        numbers[3:13, top : top + 18, 20:80] = number
    numbers[labels == 0] = 0
    return Case(np.zeros((1, *labels.shape), np.float16), labels, numbers, (3.3, 1.4, 1.4))


def test_labels_41_to_49_become_channels_1_to_9_and_the_rest_0() -> None:
    assert CHANNEL_OF_LABEL[[41, 49]].tolist() == [1, 9]
    assert not CHANNEL_OF_LABEL[[0, 26, 50, 60, 61, 62, 100]].any()


@pytest.mark.parametrize("seed", range(5))
def test_the_centre_vertebra_is_2_with_1_above_and_3_below(seed: int) -> None:
    sample = draw_cutout(np.random.default_rng(seed), column_of_bodies(), GRID, Spoiling())
    assert sample is not None
    assert sample.classes.shape == sample.target.shape == GRID.shape
    heights = {n: np.argwhere(sample.target == n)[:, 1] for n in (1, 2, 3)}
    assert abs(heights[2].mean() - GRID.shape[1] / 2) < 12
    if len(heights[1]):
        assert heights[1].mean() < heights[2].mean()
    if len(heights[3]):
        assert heights[2].mean() < heights[3].mean()


def test_where_the_spoiled_map_is_empty_there_is_no_target() -> None:
    for seed in range(8):
        sample = draw_cutout(np.random.default_rng(seed), column_of_bodies(), GRID, Spoiling())
        assert sample is not None
        assert not sample.target[sample.classes == 0].any()
        assert np.count_nonzero(sample.target) > 0


def test_a_case_without_bodies_gives_no_sample() -> None:
    empty = np.zeros((4, 10, 10), np.uint8)
    case = Case(np.zeros((1, 4, 10, 10), np.float16), empty, empty, (3.3, 1.2, 1.2))
    assert draw_cutout(np.random.default_rng(0), case, GRID, Spoiling()) is None


def test_centres_of_bodies_are_scipys_centres_of_mass_to_the_last_bit() -> None:
    rng = np.random.default_rng(2)
    labels = rng.choice(np.array([0, 42, 49, 100], np.uint8), (12, 60, 50))
    vertebrae = np.where(labels < 50, rng.integers(0, 27, labels.shape), 0).astype(np.uint8)
    labels[vertebrae == 9] = 42  # a vertebra without a body
    case = Case(np.zeros((1, *labels.shape), np.float16), labels, vertebrae, (3.3, 1.2, 1.2))
    numbers, centres = _bodies(case)
    assert numbers.tolist() == [n for n in range(1, 27) if n != 9]
    body = np.where(labels == 49, vertebrae, 0)
    assert np.array_equal(centres, ndimage.center_of_mass(body > 0, body, numbers))


def test_erosion_takes_every_voxel_that_has_another_neighbour_in_its_row() -> None:
    labels = np.random.default_rng(3).choice(np.array([41, 49], np.uint8), (6, 7, 8), p=(0.1, 0.9))
    eroded = _changed(np.random.default_rng(0), labels, Spoiling(erosion=1.0))
    # Before the first voxel lies nothing, after the last one what lies before the first.
    kept = np.ones(labels.shape, bool)
    for axis in range(3):
        rows = np.pad(labels, [(1, 0) if a == axis else (0, 0) for a in range(3)])
        same = np.diff(rows, axis=axis) == 0
        kept &= same & np.roll(same, -1, axis)
    assert np.array_equal(eroded, np.where(kept, labels, 0))


def drawn(**changes: float) -> list[np.ndarray]:
    """Twenty maps with one change switched on, else as they are."""
    spoiling = Spoiling(network_errors=False, **changes)
    samples = [
        draw_cutout(np.random.default_rng(seed), column_of_bodies(), GRID, spoiling)
        for seed in range(20)
    ]
    return [sample.classes for sample in samples if sample is not None]


def test_each_change_of_the_paper_does_what_its_name_says() -> None:
    plain = drawn()
    assert len(plain) == 20
    assert all(set(np.unique(c)) == {0, 2, 9} for c in plain)
    eroded = drawn(erosion=1.0)
    assert np.mean([c.astype(bool).sum() for c in eroded]) < 0.85 * np.mean(
        [c.astype(bool).sum() for c in plain]
    )
    dropped = drawn(label_drop=1.0)
    assert any(set(np.unique(c)) < {0, 2, 9} for c in dropped)
    cropped = drawn(vertical_crop=1.0)
    assert np.mean([np.count_nonzero(c[:, [0, -1]]) for c in cropped]) < 0.7 * np.mean(
        [np.count_nonzero(c[:, [0, -1]]) for c in plain]
    )
    coarse = drawn(resampling=1.0)
    assert all(np.array_equal(c[:, ::2], c[:, 1::2]) for c in coarse)

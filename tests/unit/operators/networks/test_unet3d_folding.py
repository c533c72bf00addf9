from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.networks.unet3d_folding import fold

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _cutout(size: int, start: int, stop: int) -> NDArray[np.uint8]:
    classes = np.zeros((size, 8, 8), dtype=np.uint8)
    classes[start:stop, 3:5, 3:5] = 9
    return classes


def test_content_that_fills_the_axis_is_not_folded():
    axis, _, _ = fold(_cutout(64, 10, 50), keep=8, period=8)

    assert axis.slabs == ()
    assert np.array_equal(axis.kept(), np.arange(64))
    assert np.array_equal(axis.source(), np.arange(64))
    assert np.array_equal(axis.plane_weights(0), np.ones(64))


def test_background_from_0_to_96_keeps_16_planes_at_either_end():
    axis, _, _ = fold(_cutout(128, 96, 128), keep=16, period=8)

    (slab,) = axis.slabs
    assert (slab.start, slab.stop) == (16, 80)
    assert len(axis.kept()) == 64
    assert axis.kept()[15:17].tolist() == [15, 80]


def test_a_gap_between_two_structures_is_folded_too():
    classes = _cutout(128, 0, 20)
    classes[100:128, 3:5, 3:5] = 1

    axis, _, _ = fold(classes, keep=8, period=8)

    assert [(s.start, s.stop) for s in axis.slabs] == [(32, 88)]


def test_left_out_planes_repeat_the_period_before_them():
    axis, _, _ = fold(_cutout(128, 96, 128), keep=16, period=8)

    assert axis.source()[:16].tolist() == list(range(16))
    assert axis.source()[16:32].tolist() == [*range(8, 16), *range(8, 16)]
    assert axis.source()[80:].tolist() == list(range(16, 64))


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_plane_weights_add_up_to_the_whole_axis_at_every_level(level: int):
    classes = _cutout(256, 96, 128)

    axis, _, _ = fold(classes, keep=16, period=8)

    assert len(axis.slabs) == 2
    assert axis.plane_weights(level).sum() == 256 >> level
    assert len(axis.plane_weights(level)) == len(axis.kept()) >> level


def test_weights_of_a_periodic_axis_give_its_mean_and_variance():
    axis, _, _ = fold(_cutout(128, 96, 128), keep=16, period=8)
    values = np.tile([3.0, 1, 4, 1, 5, 9, 2, 6], 16)
    values[:8] = 100  # what differs near the border is kept, and counted once
    folded, weights = values[axis.kept()], axis.plane_weights(0)

    mean = np.average(folded, weights=weights)

    assert mean == pytest.approx(values.mean())
    assert np.average((folded - mean) ** 2, weights=weights) == pytest.approx(values.var())


def test_an_empty_cutout_keeps_its_border():
    axis, _, _ = fold(np.zeros((128, 64, 64), dtype=np.uint8), keep=16, period=8)

    assert [(s.start, s.stop) for s in axis.slabs] == [(16, 112)]

"""Logits are interpolated as nnU-Net does it, in slabs of any size, before they are decided."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape
from scipy.ndimage import gaussian_filter

from operators.errors import SegmentationError
from operators.networks.fold_votes import Answer
from operators.networks.slab_decision import Finer, Head, OnFinerGrid, SameGrid, source_positions
from operators.networks.sliding_window import Tiling, predict

WHOLE = (slice(0, 6), slice(0, 8), slice(0, 10))
FINE = (14, 8, 23)


def head(temperature: float | None = None) -> Head:
    return Head(Answer, 3, lambda x: x.argmax(-1).to(torch.uint8), temperature)


def logits(shape: tuple[int, ...] = (6, 8, 10)) -> torch.Tensor:
    rough = np.random.default_rng(1).standard_normal((*shape, 3))
    return torch.from_numpy(gaussian_filter(rough, (1, 1, 1, 0)).astype(np.float32))


def told_in_slabs(decisions: OnFinerGrid | SameGrid, values: torch.Tensor, axis: int) -> None:
    weights = torch.rand((*values.shape[:3], 1)) + 0.5
    for part, weight in zip(values.split(4, axis), weights.split(4, axis), strict=True):
        decisions.take(part * weight, weight)


def by_nnunet(values: torch.Tensor, finer: Finer) -> np.ndarray:
    have = (1.0, 1.0, 1.0) if finer.nearest_axis is None else (9.0, 1.0, 1.0)
    want = tuple(h * n / m for h, n, m in zip(have, values.shape, finer.shape, strict=False))
    return resample_data_or_seg_to_shape(
        values.permute(3, 0, 1, 2).numpy(),
        finer.shape,
        have,
        want,
        order=1,
        order_z=0,
        force_separate_z=None,
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("nearest", [None, 0])
def test_the_classes_are_those_of_nnunets_interpolated_logits(axis: int, nearest: int | None):
    values, finer = logits(), Finer(FINE, nearest)
    decisions = OnFinerGrid(head(1.0), WHOLE, axis, finer)
    told_in_slabs(decisions, values, axis)
    found = decisions.result()
    theirs = by_nnunet(values, finer)
    clear = np.diff(np.sort(theirs, axis=0)[1:], axis=0)[0] > 1e-4
    assert clear.mean() > 0.98
    assert np.array_equal(found.classes[clear], theirs.argmax(0)[clear])
    softmax = np.exp(theirs) / np.exp(theirs).sum(0)
    assert np.abs(found.certainty / 255 - softmax.max(0)).max() < 0.003


def test_padding_takes_no_part():
    values = logits()
    padded = torch.full((10, 12, 12, 3), 50.0)
    padded[2:8, 1:9, 2:12] = values
    inner = (slice(2, 8), slice(1, 9), slice(2, 12))
    for axis in range(3):
        decisions = OnFinerGrid(head(), inner, axis, Finer(FINE))
        told_in_slabs(decisions, padded, axis)
        plain = OnFinerGrid(head(), WHOLE, axis, Finer(FINE))
        told_in_slabs(plain, values, axis)
        assert np.array_equal(decisions.result().classes, plain.result().classes)


def test_an_edge_between_two_voxels_of_3_mm_lies_where_the_logits_cross():
    # +3.1 against -1: the sign changes after three quarters of the way.
    value = torch.tensor([[3.1, 0.0], [-1.0, 0.0]]).view(2, 1, 1, 2).repeat(1, 1, 1, 1)
    pick = Head(Answer, 2, lambda x: x.argmax(-1).to(torch.uint8))
    decisions = OnFinerGrid(pick, (slice(0, 2), slice(0, 1), slice(0, 1)), 0, Finer((20, 1, 1)))
    decisions.take(value, torch.ones(2, 1, 1, 1))
    # Voxel n lies at (n + 0.5) / 10 - 0.5; the logits cross at 0.75, that is at n = 12.
    assert decisions.result().classes[:, 0, 0].tolist() == [0] * 13 + [1] * 7


def test_a_nan_anywhere_is_an_error():
    for decisions in (
        SameGrid(head(), (6, 8, 10), WHOLE, 0),
        OnFinerGrid(head(), WHOLE, 0, Finer(FINE)),
    ):
        values = logits()
        values[3, 4, 5, 1] = torch.nan
        with pytest.raises(SegmentationError):
            decisions.take(values, torch.ones(6, 8, 10, 1))


@pytest.mark.parametrize(("size", "source"), [(5, 5), (3, 9), (9, 3), (1, 4)])
def test_positions_are_symmetric_and_inside(size: int, source: int):
    at = source_positions(size, source, nearest=False)
    assert np.allclose(at + at[::-1], source - 1)
    assert at.min() >= 0
    assert at.max() <= source - 1


def test_a_volume_in_tiles_comes_out_on_the_finer_grid():
    voxels = torch.zeros(1, 6, 20, 12)
    voxels[:, :, 10:] = 1.0

    def network(tile: torch.Tensor) -> Answer:
        return Answer(torch.cat([torch.full_like(tile, 0.5), tile], dim=1))

    pick = Head(network, 2, lambda x: x.argmax(-1).to(torch.uint8))
    found = predict(voxels, Tiling((8, 8, 8), 0.5), pick, finer=Finer((9, 40, 24)))
    assert found.classes.shape == (9, 40, 24)
    assert np.array_equal(found.classes[4, :, 11], np.arange(40) >= 20)

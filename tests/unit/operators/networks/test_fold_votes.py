"""Folds that contradict each other are counted, voxel by voxel; the labels stay those of the mean.

The toy folds answer by what a voxel holds, so that every figure can be computed by hand.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from operators.networks.engines import Runtime, TorchNetworks
from operators.networks.fold_votes import Votes
from operators.networks.lateral_mirror import LateralMirror
from operators.networks.nnunet_network import Ensemble
from operators.networks.slab_decision import ALL_AGREE, Finer, Head, Prediction
from operators.networks.sliding_window import Tiling, predict
from operators.spine.confidence import ALL_AGREE as COUNTED_AS

CPU = Runtime("torch", torch.device("cpu"), "fp32")
TILES = Tiling((8, 16, 16), 0.5)


class Fold(torch.nn.Module):
    """Gives a voxel of value n the logits of the n-th row."""

    def __init__(self, *rows: tuple[float, ...]) -> None:
        super().__init__()
        self.rows = torch.tensor(rows)

    def forward(self, tile: Tensor) -> Tensor:
        return self.rows[tile[:, 0].round().long()].permute(0, 4, 1, 2, 3).contiguous()


BACKGROUND, BODY, DISC = (9.0, 0, 0), (0, 4.0, 0), (0, 0, 2.0)
CAREFUL = Fold(BACKGROUND, BODY, DISC)
CONTRARY = Fold(BACKGROUND, BODY, (0, 3.0, 0))
"""Calls body what the other calls disc; being surer of it, it decides their mean."""


def found_by(
    *folds: Fold,
    temperature: float = 1.0,
    mirror_axes: tuple[int, ...] = (),
    finer: Finer | None = None,
    is_polled: bool = True,
) -> Prediction:
    """What an ensemble says about 40 columns: 10 of background, 10 of body, 20 of disc."""
    voxels = torch.zeros(1, 8, 24, 40)
    voxels[..., 10:20], voxels[..., 20:] = 1, 2
    ensemble = Ensemble(TorchNetworks(folds, CPU), mirror_axes, None, is_polled)
    head = Head(ensemble.ask, 3, lambda x: x.argmax(-1).to(torch.uint8), temperature)
    return predict(voxels, TILES, head, finer=finer)


def test_two_folds_that_agree_agree_everywhere_to_the_last_bit() -> None:
    found = found_by(CAREFUL, CAREFUL)
    assert found.agreement is not None
    assert (found.agreement == ALL_AGREE).all()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("mirror_axes", [(), (2,), (0, 1)])
def test_two_folds_that_contradict_each_other_in_the_disc_share_it_half_and_half(
    temperature: float, mirror_axes: tuple[int, ...]
) -> None:
    found = found_by(CAREFUL, CONTRARY, temperature=temperature, mirror_axes=mirror_axes)
    assert found.agreement is not None
    assert (found.agreement[..., :20] == ALL_AGREE).all()
    assert (found.agreement[..., 20:] == ALL_AGREE // 2).all()
    assert (found.classes[..., 10:] == 1).all()
    # Mean logits (0, 1.5, 1) of the contested voxels; the vote does not depend on temperature.
    certain = 255 / np.exp((np.array([0, 1.5, 1.0]) - 1.5) / temperature).sum()
    assert np.abs(found.certainty[..., 20:] - certain).max() <= 0.5


def test_one_of_three_folds_that_is_overruled_leaves_two_thirds() -> None:
    found = found_by(CAREFUL, CAREFUL, Fold(BACKGROUND, BODY, (0, 3.0, 0)))
    assert found.agreement is not None
    assert (found.classes[..., 20:] == 2).all()
    assert (found.agreement[..., 20:] == 160).all()


def test_a_compromise_that_no_fold_names_has_no_votes() -> None:
    found = found_by(Fold((5.0, 4.0, 0), BODY, DISC), Fold((0, 4.0, 5.0), BODY, DISC))
    assert found.agreement is not None
    assert (found.classes[..., :10] == 1).all()
    assert not found.agreement[..., :10].any()
    assert (found.agreement[..., 10:] == ALL_AGREE).all()


def test_counting_changes_no_label_and_no_probability() -> None:
    counted, plain = (found_by(CAREFUL, CONTRARY, is_polled=polled) for polled in (True, False))
    assert plain.agreement is None
    assert np.array_equal(counted.classes, plain.classes)
    assert np.array_equal(counted.certainty, plain.certainty)


def test_on_a_finer_grid_labels_stay_and_the_share_falls_from_all_to_half_within_a_voxel() -> None:
    finer = Finer((8, 24, 120))
    found = found_by(CAREFUL, CONTRARY, finer=finer)
    plain = found_by(CAREFUL, CONTRARY, finer=finer, is_polled=False)
    assert found.agreement is not None
    assert np.array_equal(found.classes, plain.classes)
    assert np.array_equal(found.certainty, plain.certainty)
    row = found.agreement[4, 12]
    assert (row[:59] == ALL_AGREE).all()
    # Columns 59 and 60 of 120 lie a sixth of a voxel before and behind the middle of 19 and 20.
    assert row[59:61].tolist() == [ALL_AGREE - 40, ALL_AGREE // 2 + 40]
    assert (row[61:] == ALL_AGREE // 2).all()


def test_equal_folds_agree_on_a_finer_grid_too() -> None:
    found = found_by(CAREFUL, CAREFUL, finer=Finer((11, 24, 70)))
    assert found.agreement is not None
    assert (found.agreement == ALL_AGREE).all()


class LeftOfTheMiddle(torch.nn.Module):
    """Calls the lower half of the first axis left (1), the upper half right (2), or all of it."""

    def __init__(self, certain: float, *, only: int | None = None) -> None:
        super().__init__()
        self.certain, self.only = certain, only

    def forward(self, tile: Tensor) -> Tensor:
        answer = torch.zeros(1, 3, *tile.shape[2:])
        half = tile.shape[2] // 2
        answer[:, self.only or 1, :half] = self.certain
        answer[:, self.only or 2, half:] = self.certain
        return answer


def test_the_vote_on_a_left_right_mirror_image_changes_its_side_and_its_place() -> None:
    lateral = LateralMirror(axis=0, heads=(0, 2, 1))
    right = LeftOfTheMiddle(1.0), LeftOfTheMiddle(2.0)
    tile = torch.zeros(1, 1, 6, 2, 2)
    agreed = Ensemble(TorchNetworks(right, CPU), (), lateral, is_polled=True).ask(tile).agreement
    assert agreed is not None
    assert (agreed == 1).all()
    # A fold that calls everything left calls everything right in the mirror image: of its two
    # votes one is right on either side, of the four of both folds three.
    half = LeftOfTheMiddle(5.0), LeftOfTheMiddle(1.0, only=1)
    agreed = Ensemble(TorchNetworks(half, CPU), (), lateral, is_polled=True).ask(tile).agreement
    assert agreed is not None
    assert (agreed == 0.75).all()


def test_votes_take_a_byte_per_voxel_and_answer() -> None:
    votes = Votes()
    for _ in range(3):
        votes.add(torch.rand(1, 15, 4, 5, 6))
    assert [v.dtype for v in votes._votes] == [torch.uint8] * 3
    assert [v.numel() for v in votes._votes] == [4 * 5 * 6] * 3


def test_who_counts_and_who_averages_use_the_same_scale() -> None:
    assert ALL_AGREE == COUNTED_AS

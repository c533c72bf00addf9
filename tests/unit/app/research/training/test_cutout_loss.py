"""MONAI's Dice as phase 2 is trained with it, against sums written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from app.research.training.cutout_loss import CutoutLoss

SMOOTHING = 5.0


@pytest.fixture(scope="module")
def loss() -> CutoutLoss:
    return CutoutLoss()


def written_out(logits: np.ndarray, target: np.ndarray) -> float:
    p = np.exp(logits - logits.max(0)) / np.exp(logits - logits.max(0)).sum(0)
    dice = []
    for k in (1, 2, 3):
        is_k = target == k
        if is_k.any():
            overlap, total = p[k][is_k].sum(), p[k].sum() + is_k.sum()
            dice.append(1 - (2 * overlap + SMOOTHING) / (total + SMOOTHING))
    return float(np.mean(dice))


def test_it_is_the_mean_of_one_minus_dice_over_the_vertebrae_that_occur(loss: CutoutLoss) -> None:
    rng = np.random.default_rng(3)
    logits, target = rng.normal(size=(4, 6, 5, 4)), rng.integers(0, 3, (6, 5, 4))
    _, dice = loss(torch.from_numpy(logits)[None], torch.from_numpy(target)[None])
    assert float(dice) == pytest.approx(written_out(logits, target), rel=1e-5)


def test_without_a_preference_the_entropy_is_the_log_of_four(loss: CutoutLoss) -> None:
    target = torch.ones(1, 4, 4, 4, dtype=torch.int64)
    entropy, dice = loss(torch.zeros(1, 4, 4, 4, 4), target)
    assert float(entropy) == pytest.approx(math.log(4))
    # 64 voxels at a probability of 1/4: overlap 16, total 16 + 64.
    assert float(dice) == pytest.approx(1 - (2 * 16 + SMOOTHING) / (16 + 64 + SMOOTHING))


def test_a_perfect_answer_costs_nothing_and_background_alone_is_all_three(loss: CutoutLoss) -> None:
    target = torch.full((1, 4, 4, 4), 2, dtype=torch.int64)
    logits = torch.full((1, 4, 4, 4, 4), -30.0)
    logits[:, 2] = 30.0
    assert [float(part) for part in loss(logits, target)] == pytest.approx([0.0, 0.0], abs=1e-6)
    empty = torch.zeros(1, 4, 4, 4, dtype=torch.int64)
    _, dice = loss(torch.zeros(1, 4, 4, 4, 4), empty)
    assert float(dice) == pytest.approx(1 - SMOOTHING / (16 + SMOOTHING))

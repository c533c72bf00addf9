"""Sets of allowed classes: exact labels behave as ever, vague ones teach only what they say."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from app.research.training.supervision import (
    CLASSES,
    CODE_OF_LABEL,
    MIRRORED_CODE,
    MIRRORED_LABEL,
    OUTSIDE,
    SOME_CANAL,
    SOME_VERTEBRA,
    UNKNOWN,
    SetLoss,
)
from operators.anatomy.labels import MODEL_STRUCTURES
from tests.builders.monai_metrics import dice_and_entropy


def target(*labels: int) -> torch.Tensor:
    return torch.tensor([int(CODE_OF_LABEL[n]) for n in labels]).view(1, 1, 1, -1)


def test_codes_follow_the_order_of_the_14_structures() -> None:
    assert [int(CODE_OF_LABEL[s]) for s in MODEL_STRUCTURES] == list(range(1, 15))
    assert [int(CODE_OF_LABEL[s]) for s in (52, 53)] == [int(CODE_OF_LABEL[62])] * 2
    assert int(CODE_OF_LABEL[50]) == int(CODE_OF_LABEL[49])
    assert sorted(int(CODE_OF_LABEL[s]) for s in (251, 252, 253, 255)) == [15, 16, 17, 18]


def test_a_mirror_swaps_43_with_44_and_keeps_49_and_the_sets() -> None:
    assert [int(MIRRORED_LABEL[n]) for n in (43, 46, 49)] == [44, 45, 49]
    assert int(MIRRORED_CODE[CODE_OF_LABEL[47]]) == int(CODE_OF_LABEL[48])
    assert MIRRORED_CODE[15:].tolist() == [15, 16, 17, 18]


def test_exact_labels_give_torchs_weighted_cross_entropy() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, CLASSES, 1, 1, 5)
    wanted = target(0, 49, 43, 26, 61)
    weights = torch.ones(CLASSES)
    weights[int(CODE_OF_LABEL[43])] = 1.6
    entropy, _ = SetLoss({43: 1.6})(logits, wanted)
    assert float(entropy) == pytest.approx(
        float(functional.cross_entropy(logits, wanted, weight=weights)), rel=1e-5
    )


def test_without_sets_the_loss_is_monais() -> None:
    torch.manual_seed(1)
    logits, wanted = torch.randn(1, CLASSES, 4, 30, 20), torch.randint(0, CLASSES, (1, 4, 30, 20))
    ours = sum(SetLoss({}, smoothing=3.0)(logits, wanted))
    assert float(ours) == pytest.approx(dice_and_entropy(logits, wanted, 3.0), rel=1e-6)


def test_a_set_costs_minus_the_log_of_its_summed_probability() -> None:
    logits = torch.zeros(1, CLASSES, 1, 1, 1)  # every class 1/15
    for label, count in ((SOME_VERTEBRA, 10), (SOME_CANAL, 2), (OUTSIDE, 3)):
        entropy, _ = SetLoss({})(logits, target(label))
        assert float(entropy) == pytest.approx(-float(torch.tensor(count / 15).log()), rel=1e-5)


def test_an_unknown_voxel_has_no_gradient_at_all() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, CLASSES, 1, 1, 60, requires_grad=True)
    wanted = target(*[49] * 30, *[UNKNOWN] * 30)
    entropy, dice = SetLoss({}, least_voxels=5)(logits, wanted)
    (entropy + dice).backward()
    assert logits.grad is not None
    assert float(logits.grad[..., 30:].abs().max()) == 0.0
    assert float(logits.grad[..., :30].abs().max()) > 0.0


def test_any_part_of_a_vertebra_satisfies_a_whole_vertebra() -> None:
    logits = torch.full((1, CLASSES, 1, 1, 60), -20.0)
    logits[:, int(CODE_OF_LABEL[42])] = 20.0
    entropy, dice = SetLoss({}, smoothing=0.0)(logits, target(*[SOME_VERTEBRA] * 60))
    assert float(entropy) == pytest.approx(0.0, abs=1e-5)
    assert float(dice) == pytest.approx(0.0, abs=1e-5)


def test_the_dice_of_a_perfect_answer_is_0_and_of_a_wrong_one_1() -> None:
    wanted = target(*[49] * 30, *[0] * 30)
    loss = SetLoss({}, smoothing=0.0)
    for right in (True, False):
        logits = functional.one_hot(wanted if right else 10 - wanted % 10, CLASSES)
        _, dice = loss(40.0 * logits.permute(0, 4, 1, 2, 3).float(), wanted)
        assert float(dice) == pytest.approx(0.0 if right else 1.0, abs=1e-4)

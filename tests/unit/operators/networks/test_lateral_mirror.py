"""Averaging with the left/right mirror image exchanges left and right labels."""

from __future__ import annotations

import torch

from operators.networks.engines import Runtime, TorchNetworks
from operators.networks.lateral_mirror import LateralMirror
from operators.networks.nnunet_network import Ensemble

HEADS = 3  # background, left, right


class LeftHalf(torch.nn.Module):
    """Votes 'left' for the first half of axis 0 and 'right' for the second, plus the image."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        answer = torch.zeros(1, HEADS, *image.shape[2:])
        half = image.shape[2] // 2
        answer[:, 1, :half] = 4.0
        answer[:, 2, half:] = 2.0
        answer[:, 0] = image[:, 0]
        return answer


def ensemble(lateral: LateralMirror | None) -> Ensemble:
    runtime = Runtime("torch", torch.device("cpu"), "fp32")
    return Ensemble(TorchNetworks((LeftHalf(),), runtime), (), lateral)


def test_left_4_and_right_2_become_3_on_both_sides_and_stay_on_their_side() -> None:
    mirrored = (
        ensemble(LateralMirror(axis=0, heads=(0, 2, 1))).ask(torch.zeros(1, 1, 6, 4, 4)).logits
    )
    assert torch.equal(mirrored[0, 1, :, 0, 0], torch.tensor([3.0, 3, 3, 0, 0, 0]))
    assert torch.equal(mirrored[0, 2, :, 0, 0], torch.tensor([0.0, 0, 0, 3, 3, 3]))


def test_a_head_without_a_side_keeps_its_place() -> None:
    image = torch.arange(6.0).reshape(1, 1, 6, 1, 1).expand(1, 1, 6, 4, 4)
    mirrored = ensemble(LateralMirror(axis=0, heads=(0, 2, 1))).ask(image).logits
    assert torch.equal(mirrored[0, 0, :, 0, 0], torch.arange(6.0))


def test_without_a_mirror_the_answer_is_the_network_s_own() -> None:
    image = torch.zeros(1, 1, 6, 4, 4)
    assert torch.equal(ensemble(None).ask(image).logits, LeftHalf()(image))

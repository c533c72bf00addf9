from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from operators.errors import ModelUnusableError
from operators.networks.unet3d import Unet3DShape, unet3d_from_checkpoint
from tests.builders.unet3d_checkpoint import lightning_checkpoint, random_unet3d

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(("dim", "channels"), [(16, 10), (8, 11), (8, 1)])
def test_each_published_layout_is_read_from_its_182_tensors(dim: int, channels: int):
    checkpoint = lightning_checkpoint(random_unet3d(dim=dim, channels=channels))
    assert len(checkpoint["state_dict"]) == 182

    unet = unet3d_from_checkpoint(checkpoint)

    assert unet.shape == Unet3DShape(
        channels_in=channels,
        dim=dim,
        widths=(dim, 2 * dim, 4 * dim, 8 * dim),
        classes_out=4,
    )


def test_dim_16_with_10_channels_has_5375124_parameters():
    unet = random_unet3d(dim=16, channels=10)

    assert sum(p.numel() for p in unet.parameters()) == 5_375_124


def test_dim_8_with_11_channels_has_1361924_parameters():
    unet = random_unet3d(dim=8, channels=11)

    assert sum(p.numel() for p in unet.parameters()) == 1_361_924


def test_three_levels_and_half_precision_weights_are_accepted():
    checkpoint = lightning_checkpoint(random_unet3d(levels=3))
    checkpoint["state_dict"] = {k: v.half() for k, v in checkpoint["state_dict"].items()}

    unet = unet3d_from_checkpoint(checkpoint)

    assert unet.shape.divisor == 4
    assert {p.dtype for p in unet.parameters()} == {torch.float32}


def test_tensors_of_the_training_beside_the_network_do_not_matter():
    checkpoint = lightning_checkpoint(random_unet3d())
    checkpoint["state_dict"]["loss.weight"] = torch.ones(4)

    assert unet3d_from_checkpoint(checkpoint).shape.dim == 8


def test_logits_have_the_size_of_the_input_and_4_classes():
    with torch.inference_mode():
        logits = random_unet3d()(torch.zeros(1, 10, 16, 24, 8))

    assert logits.shape == (1, 4, 16, 24, 8)


def test_size_12_is_not_divisible_by_8():
    with pytest.raises(ValueError, match="not divisible by 8"):
        random_unet3d()(torch.zeros(1, 10, 16, 16, 12))


@pytest.mark.parametrize("content", [{}, {"state_dict": []}, {"state_dict": {"net.a": 1}}])
def test_a_checkpoint_without_network_tensors_is_refused_by_name(content: dict[str, object]):
    with pytest.raises(ModelUnusableError) as caught:
        unet3d_from_checkpoint(content)

    assert caught.value.reasons == ("unet3d_state_missing",)


def _without(state: dict[str, torch.Tensor], name: str) -> None:
    del state[name]


def _wider(state: dict[str, torch.Tensor], name: str) -> None:
    state[name] = torch.cat((state[name], state[name]))


def _extra(state: dict[str, torch.Tensor], name: str) -> None:
    state[name + ".extra"] = torch.ones(1)


@pytest.mark.parametrize("damage", [_without, _wider, _extra])
def test_one_missing_wrong_or_surplus_tensor_is_refused_by_name(
    damage: Callable[[dict[str, torch.Tensor], str], None],
):
    checkpoint = lightning_checkpoint(random_unet3d())
    damage(checkpoint["state_dict"], "network.ups.1.0.block1.proj.weight")

    with pytest.raises(ModelUnusableError, match=r"1 tensors .*ups\.1\.0\.block1") as caught:
        unet3d_from_checkpoint(checkpoint)

    assert caught.value.reasons == ("unet3d_weights_mismatch",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network.init_conv.weight", torch.ones(8, 10, 7, 7)),
        ("network.downs.0.1.block2.norm.weight", torch.ones(12)),
        ("network.final_conv.weight", torch.ones(4, 8)),
    ],
)
def test_tensors_of_another_architecture_are_refused_by_name(name: str, value: torch.Tensor):
    checkpoint = lightning_checkpoint(random_unet3d())
    checkpoint["state_dict"][name] = value

    with pytest.raises(ModelUnusableError) as caught:
        unet3d_from_checkpoint(checkpoint)

    assert caught.value.reasons == ("unet3d_shape_unknown",)


def test_one_weight_that_is_not_a_number_is_refused_by_name():
    checkpoint = lightning_checkpoint(random_unet3d())
    checkpoint["state_dict"]["network.final_conv.bias"][2] = float("nan")

    with pytest.raises(ModelUnusableError) as caught:
        unet3d_from_checkpoint(checkpoint)

    assert caught.value.reasons == ("unet3d_weights_not_finite",)

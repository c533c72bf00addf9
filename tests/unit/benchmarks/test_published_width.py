"""A small network inside one of the published size answers as it does alone."""

from __future__ import annotations

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from tests.benchmarks.published_width import after_leaky_relu, widened
from tests.builders.nnunet_folder import PUBLISHED, published_network


def narrow_network() -> nn.Module:
    torch.manual_seed(5)
    network = PlainConvUNet(
        input_channels=1,
        n_stages=4,
        features_per_stage=[8, 16, 32, 32],
        conv_op=nn.Conv3d,
        kernel_sizes=PUBLISHED["conv_kernel_sizes"][:4],
        strides=PUBLISHED["pool_op_kernel_sizes"][:4],
        n_conv_per_stage=[2] * 4,
        num_classes=15,
        n_conv_per_stage_decoder=[2] * 3,
        conv_bias=True,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
    ).eval()
    for name, value in network.named_parameters():
        if ".norm." in name:  # as after a training: no two channels alike
            value.data.add_(0.3 * torch.randn_like(value))
    return network


def test_the_wide_network_gives_the_classes_of_the_small_one():
    small, wide = narrow_network(), published_network()
    tile = torch.randn(1, 1, 32, 64, 128)
    with torch.inference_mode():
        untrained = wide(tile)[0].argmax(0)
        wide.load_state_dict(widened(small.state_dict()))
        said, wide_said = small(tile)[0], wide(tile)[0]
    classes = said.argmax(0)
    assert len(classes.unique()) > 5
    assert float((classes == wide_said.argmax(0)).float().mean()) > 0.95
    assert float((classes == untrained).float().mean()) < 0.5


def test_moments_after_a_leaky_relu_are_those_of_many_draws():
    generator = torch.Generator().manual_seed(1)
    mean, deviation = torch.tensor([-1.0, 0.0, 0.7]), torch.tensor([0.5, 1.0, 1.3])
    draws = mean + deviation * torch.randn(400_000, 3, generator=generator)
    kept = nn.functional.leaky_relu(draws, 0.01)
    expected = torch.stack((kept.mean(0), kept.std(0)))
    torch.testing.assert_close(
        torch.stack(after_leaky_relu(mean, deviation)), expected, atol=5e-3, rtol=0
    )

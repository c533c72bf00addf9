import pytest
import torch
from torch import Tensor, nn

from operators.networks.cpu_layers import (
    Convolution,
    Head,
    NormActivation,
    Upsampling,
    install_cpu_layers,
    is_plain_upsampling,
)


def image(channels: int, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return torch.randn(1, channels, 6, 10, 12)


@torch.inference_mode()
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [((1, 3, 3), (1, 1, 1), (0, 1, 1)), ((3, 3, 3), (1, 2, 2), 1), ((1, 1, 1), (2, 2, 2), 0)],
)
def test_a_convolution_equals_pytorchs(
    kernel: tuple[int, int, int],
    stride: tuple[int, int, int],
    padding: int | tuple[int, int, int],
    bias: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    layer = nn.Conv3d(5, 7, kernel, stride, padding, bias=bias)
    ours = Convolution(layer, torch.float32)(image(5))
    assert torch.allclose(ours, layer(image(5)), atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("affine", [True, False], ids=["affine", "plain"])
@pytest.mark.parametrize("slope", [None, 0.01])
def test_norm_and_activation_equal_pytorchs(
    slope: float | None,
    affine: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    norm = nn.InstanceNorm3d(5, affine=affine)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    expected = norm(image(5))
    if slope is not None:
        expected = nn.functional.leaky_relu(expected, slope)
    assert torch.allclose(NormActivation(norm, slope)(image(5)), expected, atol=1e-5)


@torch.inference_mode()
def test_a_norm_of_a_large_offset_loses_less_than_a_thousandth():
    norm = nn.InstanceNorm3d(3)
    shifted = NormActivation(norm, None)(image(3) + 300)
    assert (shifted - norm(image(3))).abs().max() < 1e-3


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("stride", [(1, 2, 2), (2, 2, 2), (2, 1, 3)])
def test_upsampling_equals_pytorchs_transposed_convolution(
    stride: tuple[int, int, int], dtype: torch.dtype
) -> None:
    layer = nn.ConvTranspose3d(5, 7, stride, stride)
    ours = Upsampling(layer, dtype)(image(5).to(dtype)).float()
    tolerance = 1e-5 if dtype == torch.float32 else 0.03
    assert torch.allclose(ours, layer(image(5)), atol=tolerance, rtol=tolerance)


def test_overlapping_or_padded_transposed_convolutions_are_left_alone():
    assert is_plain_upsampling(nn.ConvTranspose3d(2, 2, 2, 2))
    assert not is_plain_upsampling(nn.ConvTranspose3d(2, 2, 4, 2, padding=1))
    assert not is_plain_upsampling(nn.ConvTranspose3d(2, 2, 2, 2, groups=2))
    layers = nn.Sequential(nn.ConvTranspose3d(2, 2, 4, 2, padding=1))
    install_cpu_layers(layers, torch.float32)
    assert isinstance(layers[0], nn.ConvTranspose3d)


@torch.inference_mode()
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_the_head_answers_in_float32_for_bf16_input(
    bias: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    layer = nn.Conv3d(8, 3, 1, bias=bias)
    rounded = image(8).bfloat16()
    ours = Head(layer)(rounded)
    assert ours.dtype == torch.float32
    assert torch.allclose(ours, layer(rounded.float()), atol=1e-5)


@torch.inference_mode()
def test_a_norm_takes_the_activation_that_follows_it_and_only_that():
    layers = nn.Sequential(
        nn.Conv3d(2, 4, 3, padding=1),
        nn.InstanceNorm3d(4, affine=True),
        nn.LeakyReLU(),
        nn.Sequential(nn.Conv3d(4, 4, 1), nn.InstanceNorm3d(4), nn.ReLU()),
    )
    expected = layers(image(2))
    install_cpu_layers(layers, torch.float32)
    assert isinstance(layers[2], nn.Identity)
    assert isinstance(layers[3][2], nn.ReLU)
    assert torch.allclose(layers(image(2)), expected, atol=1e-5)

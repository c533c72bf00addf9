from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from operators.networks.label_convolution import LabelConvolution


def _convolved(weight: torch.Tensor, bias: torch.Tensor, symbols: torch.Tensor) -> torch.Tensor:
    out = torch.empty((*symbols.shape, len(bias)))
    LabelConvolution(weight, bias).write(symbols, out)
    return out


def _blocks(classes: tuple[int, int, int]) -> torch.Tensor:
    """Three boxes of classes on background, one touching the border."""
    symbols = torch.zeros((16, 24, 9), dtype=torch.uint8)
    symbols[0:5, 3:9, 0:4] = classes[0]
    symbols[6:12, 10:20, 2:8] = classes[1]
    symbols[8:9, 12:13, 3:4] = classes[2]
    return symbols


@pytest.mark.parametrize("channels", [10, 11])
def test_one_hot_channels_give_the_result_of_the_convolution(channels: int):
    weight, bias = torch.randn(8, channels, 7, 7, 7), torch.randn(8)
    symbols = _blocks((9, 1, 4))
    one_hot = functional.one_hot(symbols.long(), channels).movedim(-1, 0).float()
    expected = functional.conv3d(one_hot[None], weight, bias, padding=3)[0].movedim(0, -1)

    result = _convolved(weight, bias, symbols)

    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)


def test_classes_without_a_channel_count_as_background():
    weight, bias = torch.randn(8, 5, 7, 7, 7), torch.randn(8)

    with_unknown = _convolved(weight, bias, _blocks((9, 1, 4)))

    torch.testing.assert_close(with_unknown, _convolved(weight, bias, _blocks((0, 1, 4))))


def test_one_channel_sees_label_over_9():
    weight, bias = torch.randn(8, 1, 7, 7, 7), torch.randn(8)
    symbols = _blocks((9, 1, 4))
    one_channel = symbols.float()[None, None] / 9
    expected = functional.conv3d(one_channel, weight, bias, padding=3)[0].movedim(0, -1)

    result = _convolved(weight, bias, symbols)

    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)


def test_a_cutout_without_background_is_no_special_case():
    weight, bias = torch.randn(8, 10, 7, 7, 7), torch.randn(8)
    symbols = torch.full((8, 8, 8), 9, dtype=torch.uint8)
    one_hot = functional.one_hot(symbols.long(), 10).movedim(-1, 0).float()
    expected = functional.conv3d(one_hot[None], weight, bias, padding=3)[0].movedim(0, -1)

    result = _convolved(weight, bias, symbols)

    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)

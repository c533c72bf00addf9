"""The fast norms compute what torch's own compute."""

from __future__ import annotations

import pytest
import torch

from app.research.training.fast_norms import (
    SingleImageGroupNorm,
    SingleImageInstanceNorm,
    with_fast_group_norms,
)


def image(channels: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn((1, channels, 4, 5, 6), generator=generator) * 3 + 2


def test_instance_norm_agrees_within_1e_5() -> None:
    fast, slow = SingleImageInstanceNorm(6), torch.nn.InstanceNorm3d(6, affine=True)
    assert fast.state_dict().keys() == slow.state_dict().keys()
    assert torch.allclose(fast(image(6)), slow(image(6)), atol=1e-5)


@pytest.mark.parametrize("channels", [8, 16, 64])
def test_group_norm_agrees_within_1e_5_also_in_channels_last(channels: int) -> None:
    fast, slow = SingleImageGroupNorm(8, channels), torch.nn.GroupNorm(8, channels)
    with torch.no_grad():
        slow.weight.copy_(torch.linspace(0.5, 2, channels))
    fast.load_state_dict(slow.state_dict())
    x = image(channels).to(memory_format=torch.channels_last_3d)
    assert torch.allclose(fast(x), slow(x), atol=1e-5)


def test_exchange_keeps_the_names_of_the_state_dict() -> None:
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 8, 1), torch.nn.GroupNorm(8, 8))
    names = list(network.state_dict())
    assert list(with_fast_group_norms(network).state_dict()) == names

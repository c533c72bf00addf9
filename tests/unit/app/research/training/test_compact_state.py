"""Checkpoints are small and lose nothing that matters."""

from __future__ import annotations

import io

import pytest
import torch

from app.research.training.compact_state import pack_optimizer, pack_weights, unpack_optimizer
from app.research.training.presets import SEMANTIC_PRESETS
from app.research.training.semantic import build_network


def stepped(kind: type[torch.optim.Optimizer], **options: float) -> torch.optim.Optimizer:
    layer = torch.nn.Linear(4, 3)
    optimizer = kind(layer.parameters(), lr=0.1, **options)
    for _ in range(3):
        optimizer.zero_grad()
        layer(torch.ones(1, 4)).square().sum().backward()
        optimizer.step()
    return optimizer


def test_the_state_of_the_compact_network_is_below_20_million_bytes() -> None:
    network = build_network(SEMANTIC_PRESETS["compact"].design)
    optimizer = torch.optim.AdamW(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    file = io.BytesIO()
    weights = pack_weights(network.state_dict())
    state = {"network": weights, "average": pack_weights(network.state_dict())}
    torch.save({**state, "optimizer": pack_optimizer(optimizer)}, file)
    assert 14e6 < file.getbuffer().nbytes < 20e6


def test_weights_keep_three_digits_and_tied_names_stay_tied() -> None:
    value = torch.randn(1000)
    packed = pack_weights({"a": value, "b": value})
    assert packed["a"].data_ptr() == packed["b"].data_ptr()
    assert torch.allclose(packed["a"].float(), value, rtol=5e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "options", "moment"),
    [
        (torch.optim.AdamW, {}, "exp_avg_sq"),
        (torch.optim.SGD, {"momentum": 0.99}, "momentum_buffer"),
    ],
)
def test_the_slow_moment_comes_back_within_a_percent(
    kind: type[torch.optim.Optimizer], options: dict[str, float], moment: str
) -> None:
    old = stepped(kind, **options)
    new = kind(torch.nn.Linear(4, 3).parameters(), lr=0.1, **options)
    unpack_optimizer(new, pack_optimizer(old))
    for a, b in zip(old.state.values(), new.state.values(), strict=True):
        assert torch.allclose(a[moment], b[moment], rtol=0.01)
        assert float(a.get("step", 0)) == float(b.get("step", 0))

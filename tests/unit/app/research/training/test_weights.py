"""Averages move slowly, files keep tied names tied."""

from __future__ import annotations

import pytest
import torch

from app.research.training.weights import average_into, channels_last, plain_weights


def test_the_average_follows_fast_at_first_and_by_a_200th_in_the_end() -> None:
    average, network = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(average.weight)
    torch.nn.init.ones_(network.weight)
    average_into(average, network, 0)
    assert average.weight.item() == pytest.approx(19 / 20)
    torch.nn.init.zeros_(average.weight)
    average_into(average, network, 10**6)
    assert average.weight.item() == pytest.approx(0.005)


def test_kernels_lie_channels_last_and_are_written_contiguous_and_tied() -> None:
    inner = torch.nn.Conv3d(4, 8, 3)
    network = torch.nn.ModuleDict({"one": inner, "same": inner})
    before = inner.weight.detach().clone()
    channels_last(network)
    assert inner.weight.is_contiguous(memory_format=torch.channels_last_3d)
    weights = plain_weights(network)
    assert weights["one.weight"].is_contiguous()
    assert weights["one.weight"].data_ptr() == weights["same.weight"].data_ptr()
    assert torch.equal(weights["same.weight"], before)

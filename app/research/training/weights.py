"""A network's weights: averaged over a training, laid out for a CPU, ready for a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    Module = torch.nn.Module

_MOST_AVERAGED = 0.995


def average_into(average: Module, network: Module, step: int) -> None:
    """Move the averaged weights towards the current ones (EMA, decay up to 0.995)."""
    decay = min(_MOST_AVERAGED, (step + 1) / (step + 20))
    with torch.no_grad():
        for old, new in zip(average.parameters(), network.parameters(), strict=True):
            old.lerp_(new, 1 - decay)


def channels_last(network: Module) -> Module:
    """Lay a network's kernels out for channels-last input, in place."""
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
    return network


def plain_weights(network: Module) -> dict[str, torch.Tensor]:
    """State dict of a network for a file: contiguous, on the CPU, tied names kept tied."""
    shared: dict[int, torch.Tensor] = {}
    weights: Mapping[str, torch.Tensor] = network.state_dict()
    return {
        name: shared.setdefault(tensor.data_ptr(), tensor.detach().cpu().clone().contiguous())
        for name, tensor in weights.items()
    }

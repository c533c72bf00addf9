"""Small checkpoints: what a training needs to go on, in a quarter of the bytes.

A float32 state of AdamW is four times the network (weights, their average, two moments). Here
weights are kept as float16 (11 bits of mantissa: less than a step's noise) and the optimizer's
slow moment as bfloat16 (its range matters, not its digits). AdamW's fast moment is not kept: it
rebuilds within ten steps. The 2.7 M parameters of the compact network make 16 MB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT: Final = ("exp_avg_sq", "momentum_buffer")


def pack_weights(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """State dict of a network as float16; names that share a tensor share the copy.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Floating-point state dict.

    Returns
    -------
    dict of str to Tensor
        ``load_state_dict`` widens it again.
    """
    shared: dict[int, torch.Tensor] = {}
    return {
        name: shared.setdefault(tensor.data_ptr(), tensor.detach().cpu().to(torch.float16))
        for name, tensor in weights.items()
    }


def pack_optimizer(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Slow moments of an optimizer, parameter by parameter.

    Parameters
    ----------
    optimizer : Optimizer
        AdamW or SGD with momentum.

    Returns
    -------
    list of dict
        Per parameter in the optimizer's order: the step, and each kept moment as bfloat16.
    """
    packed = []
    for parameter in _parameters(optimizer):
        state = optimizer.state.get(parameter, {})
        entry: dict[str, Any] = {"step": float(state.get("step", 0.0))}
        for name in _KEPT:
            if isinstance(state.get(name), torch.Tensor):
                entry[name] = state[name].detach().cpu().to(torch.bfloat16)
        packed.append(entry)
    return packed


def unpack_optimizer(optimizer: torch.optim.Optimizer, packed: list[dict[str, Any]]) -> None:
    """Give an optimizer the moments of `pack_optimizer` back, in place.

    Parameters
    ----------
    optimizer : Optimizer
        For the same network.
    packed : list of dict
        One entry per parameter.
    """
    for parameter, entry in zip(_parameters(optimizer), packed, strict=True):
        kept: dict[str, torch.Tensor] = {
            name: entry[name].to(parameter) for name in _KEPT if name in entry
        }
        if "exp_avg_sq" in kept:
            kept["exp_avg"] = torch.zeros_like(parameter)
            kept["step"] = torch.tensor(entry["step"])
        if kept:
            optimizer.state[parameter] = {
                name: value.clone(memory_format=torch.preserve_format)
                for name, value in kept.items()
            }


def _parameters(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]

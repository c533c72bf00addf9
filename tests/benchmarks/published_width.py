"""The oracle's phase 1 inside a network of the published width and depth: same masks, true cost.

The published network has seven stages of 32 to 320 channels; the oracle's four stages of 8 to 32
have the same kernels and strides. Its weights become the first channels of the first four stages.
The further channels get random weights and are read by nobody, and the deeper stages feed further
channels alone. Where the wide decoder begins above the oracle's, two convolutions only hand the
oracle's features on: each is followed by an instance norm, which is undone by giving it the mean
and the standard deviation that the features have if they are normal before their leaky ReLU.
"""

from __future__ import annotations

import json
import math
import shutil
from typing import TYPE_CHECKING

import torch

from tests.builders.nnunet_folder import PUBLISHED, published_network

if TYPE_CHECKING:
    from pathlib import Path

    Weights = dict[str, torch.Tensor]

PATCH_RIP = [64, 256, 256]
_SHALLOW, _DEEP = 4, 7
"""Stages of the oracle and of the published network."""

_SLOPE = 0.01
"""Of nnU-Net's leaky ReLU."""


def write_published_width(oracle: Path, folder: Path) -> Path:
    """Copy the oracle's phase 1 model and give it the published network.

    Parameters
    ----------
    oracle, folder : Path
        Model folder to read, and to make.

    Returns
    -------
    Path
        ``folder``.
    """
    shutil.copytree(oracle, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    plans = json.loads((folder / "plans.json").read_text())
    plans["configurations"]["3d_fullres"] |= {**PUBLISHED, "patch_size": PATCH_RIP}
    (folder / "plans.json").write_text(json.dumps(plans))
    for file in folder.glob("fold_*/checkpoint_final.pth"):
        content = torch.load(file, weights_only=False)
        content["network_weights"] = widened(content["network_weights"])
        torch.save(content, file)
    return folder


def widened(narrow: Weights) -> Weights:
    """Weights of the published network that answers as the oracle does.

    Parameters
    ----------
    narrow : dict of str to Tensor
        Weights of a PlainConvUNet of four stages, two convolutions each.

    Returns
    -------
    dict of str to Tensor
        Of `published_network`, under all names that nnU-Net gives them.
    """
    torch.manual_seed(0)
    network = published_network()
    wide = {name: value.clone() for name, value in network.state_dict().items()}
    first = _DEEP - _SHALLOW
    for name, value in narrow.items():
        if ".all_modules." in name or name.startswith("decoder.encoder."):
            continue  # second names of weights of the encoder and of the convolutions
        kind, index, rest = _parts(name)
        into = wide[name if kind == "encoder.stages" else f"{kind}.{index + first}{rest}"]
        _put(into, value, _blocks(kind, rest, value, into))
    _hand_on(wide, narrow, first - 1)
    network.load_state_dict(_with_aliases(network, wide))
    return dict(network.state_dict())


def _parts(name: str) -> tuple[str, int, str]:
    """``decoder.stages.1.convs.0.conv.weight`` -> (``decoder.stages``, 1, the rest)."""
    side, kind, index, *rest = name.split(".")
    return f"{side}.{kind}", int(index), f".{'.'.join(rest)}"


def _blocks(kind: str, rest: str, value: torch.Tensor, into: torch.Tensor) -> list[tuple[int, int]]:
    """Where input channels of the oracle lie among the wide ones: (from, to) of each run.

    The first convolution of a decoder's stage reads what came up, then what was skipped.
    """
    if kind == "decoder.stages" and rest.startswith(".convs.0.conv.weight"):
        half, wide_half = value.shape[1] // 2, into.shape[1] // 2
        return [(0, 0), (half, wide_half)]
    return [(0, 0)]


def _put(into: torch.Tensor, value: torch.Tensor, runs: list[tuple[int, int]]) -> None:
    """Put the oracle's weights first; its channels read none of the others."""
    if value.ndim == 1:
        into[: len(value)] = value
        return
    # A transposed convolution has its inputs first, and its outputs second.
    is_up = into.shape[2:] == (2, 2, 2) or into.shape[2:] == (1, 2, 2)
    if is_up:
        into[:, : value.shape[1]] = 0
        into[: value.shape[0], : value.shape[1]] = value
        return
    into[: len(value)] = 0
    width = value.shape[1] // len(runs)
    for start, place in runs:
        into[: len(value), place : place + width] = value[:, start : start + width]


def _hand_on(wide: Weights, narrow: Weights, stage: int) -> None:
    """Let a stage of the wide decoder give the skipped features of the oracle unchanged."""
    last = f"encoder.stages.{_SHALLOW - 1}"
    norm = _last_norm(narrow, last)
    mean, deviation = after_leaky_relu(narrow[f"{norm}.bias"], narrow[f"{norm}.weight"])
    count = len(mean)
    for number in (0, 1):
        name = f"decoder.stages.{stage}.convs.{number}"
        weight = wide[f"{name}.conv.weight"]
        weight[:count] = 0
        centre = tuple(size // 2 for size in weight.shape[2:])
        skipped = weight.shape[1] // 2 if number == 0 else 0
        for channel in range(count):
            weight[(channel, skipped + channel, *centre)] = 1
        wide[f"{name}.conv.bias"][:count] = 0
        wide[f"{name}.norm.weight"][:count] = deviation
        wide[f"{name}.norm.bias"][:count] = mean


def _last_norm(weights: Weights, stage: str) -> str:
    names = [n for n in weights if n.startswith(stage) and n.endswith(".norm.weight")]
    return max(n for n in names if ".all_modules." not in n).removesuffix(".weight")


def after_leaky_relu(
    mean: torch.Tensor, deviation: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of normal values after a leaky ReLU.

    >>> m, s = after_leaky_relu(torch.tensor([5.0]), torch.tensor([1.0]))
    >>> round(float(m), 3), round(float(s), 3)
    (5.0, 1.0)
    """
    gamma = deviation.abs().clamp_min(1e-6)
    ratio = mean / gamma
    above = torch.special.ndtr(ratio)
    density = torch.exp(-0.5 * ratio**2) / math.sqrt(2 * math.pi)
    positive = mean * above + gamma * density
    square = (mean**2 + gamma**2) * above + mean * gamma * density
    whole = mean**2 + gamma**2
    first = _SLOPE * mean + (1 - _SLOPE) * positive
    second = square + _SLOPE**2 * (whole - square)
    return first, (second - first**2).clamp_min(0).sqrt()


def _with_aliases(network: torch.nn.Module, wide: Weights) -> Weights:
    """Give every name of a shared weight the value of its plain name."""
    own = {id(p): wide[name] for name, p in network.named_parameters()}
    return {
        name: own.get(id(p), wide[name]) for name, p in network.state_dict(keep_vars=True).items()
    }

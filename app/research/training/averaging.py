"""The mean of trained models: weights of several stages or folds of one network put together."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import torch

from app.errors import ConfigurationError
from app.research.training.formats import holds_weights
from operators.errors import ModelUnusableError
from operators.networks.checkpoints import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

_CHECKPOINTS = "fold_*/checkpoint_final.pth"
_SAME = ("plans.json", "dataset.json")
"""Files that have to agree: network, grid and classes."""


def average_models(models: Mapping[Path, float], output: Path) -> None:
    """Write the weighted mean of models of phase 1, fold by fold.

    Useful where the models are stages of one training: the mean of their weights often does better
    on what none of them was trained on than the last one alone.

    Parameters
    ----------
    models : mapping of Path to float
        Folders as `write_semantic_model` writes them, and their shares; these are brought to a sum
        of 1. All but the weights is taken from the first one.
    output : Path
        Model folder to write.

    Raises
    ------
    ConfigurationError
        ``too_few_models`` or ``invalid_share``; ``other_model``: ``output`` holds weights.
    ModelUnusableError
        ``other_network``: they differ in network, grid, classes or folds; or a checkpoint cannot
        be read.
    """
    folders, shares = list(models), list(models.values())
    if len(folders) < 2:
        raise ConfigurationError("a mean takes two models or more", reasons=("too_few_models",))
    if not all(share > 0 for share in shares):
        raise ConfigurationError("a share has to be positive", reasons=("invalid_share",))
    if holds_weights(output, fold=None):
        message = f"{output} holds a model; take another folder for the new one"
        raise ConfigurationError(message, reasons=("other_model",))
    first = folders[0]
    for folder in folders[1:]:
        _require_same(first, folder)
    total = sum(shares)
    shutil.copytree(first, output, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.md"))
    for checkpoint in sorted(first.glob(_CHECKPOINTS)):
        place = checkpoint.relative_to(first)
        contents = [read_checkpoint(folder / place) for folder in folders]
        weights = [_weights_of(content) for content in contents]
        mean = _mean(weights, [share / total for share in shares])
        torch.save({**contents[0], "network_weights": mean}, output / place)


def _require_same(first: Path, other: Path) -> None:
    differ = [name for name in _SAME if _content(first / name) != _content(other / name)]
    folds = [
        {path.parent.name for path in folder.glob(_CHECKPOINTS)} or {"none"}
        for folder in (first, other)
    ]
    if differ or folds[0] != folds[1]:
        message = f"the models differ in {', '.join(differ) or 'their folds'}"
        raise ModelUnusableError(message, reasons=("other_network",))


def _content(path: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path.name} of a model cannot be read"
        raise ModelUnusableError(message, reasons=("config_unreadable",)) from error


def _weights_of(content: Mapping[str, object]) -> dict[str, Tensor]:
    weights = content.get("network_weights")
    if not isinstance(weights, dict):
        raise ModelUnusableError("a checkpoint has no weights", reasons=("checkpoint_unreadable",))
    return weights


def _mean(weights: Sequence[dict[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    """Sum in float64; names that share their memory, as nnU-Net's encoder has them, still do."""
    first = weights[0]
    if any(other.keys() != first.keys() for other in weights):
        raise ModelUnusableError("the models' weights differ", reasons=("other_network",))
    made: dict[tuple[object, ...], Tensor] = {}
    mean = {}
    for name, tensor in first.items():
        memory = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())
        if memory not in made:
            parts = (share * w[name].double() for share, w in zip(shares, weights, strict=True))
            made[memory] = torch.stack(list(parts)).sum(0).to(tensor.dtype)
        mean[name] = made[memory]
    return mean

"""From summed logits to labels: who wins a voxel, and what the winner is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from operators.anatomy.labels import LEFT_RIGHT_PAIRS
from operators.errors import ModelUnusableError
from operators.networks.lateral_mirror import LateralMirror

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from operators.networks.inference_config import InferenceConfig
    from operators.networks.nnunet_plans import Plans


def label_table(config: InferenceConfig, plans: Plans) -> NDArray[np.unsignedinteger]:
    """Labels in the order in which the decision numbers its answers.

    Parameters
    ----------
    config : InferenceConfig
        Names a label for every network class.
    plans : Plans
        Says how many classes there are, or which regions.

    Returns
    -------
    (N,) ndarray of uint8 or uint16
        Entry 0 is background; the smallest type that holds all labels.

    Raises
    ------
    ModelUnusableError
        ``label_table_incomplete``: a class without a label.
    """
    regions = plans.regions_class_order
    classes = range(1, plans.heads) if regions is None else regions
    missing = [c for c in classes if c not in config.labels]
    if missing:
        message = f"the config names no label for network class {missing[0]}"
        raise ModelUnusableError(message, reasons=("label_table_incomplete",))
    table = [0, *(config.labels[c] for c in classes)]
    small = max(table) <= np.iinfo(np.uint8).max
    return np.asarray(table, np.uint8 if small else np.uint16)


def decision_of(plans: Plans) -> Callable[[Tensor], Tensor]:
    """How the plans' network decides: by the best class, or region by region.

    Parameters
    ----------
    plans : Plans
        Region-based where ``regions_class_order`` is set.

    Returns
    -------
    callable
        (..., heads) sums of logits, up to a positive factor per voxel -> (...) uint8: a class,
        or 1 + the index of a region, 0 for background.
    """
    return _winner if plans.regions_class_order is None else _last_region


def _winner(sums: Tensor) -> Tensor:
    """Class of the highest logit; ties to the lowest class."""
    return sums.argmax(dim=-1).to(torch.uint8)


def _last_region(sums: Tensor) -> Tensor:
    """1 + index of the last region whose sigmoid exceeds 0.5; 0 where none does."""
    found = torch.zeros(sums.shape[:-1], dtype=torch.uint8, device=sums.device)
    for index in range(sums.shape[-1]):
        found[sums[..., index] > 0] = index + 1
    return found


def lateral_mirror(config: InferenceConfig, plans: Plans) -> LateralMirror:
    """Side-to-side axis of the network, and the head of the other side for every head."""
    lateral = next(n for n, code in enumerate(config.model_expected_orientation) if code in "LR")
    axis = plans.transpose_forward.index(2 - lateral)
    other_side = {a: b for pair in LEFT_RIGHT_PAIRS for a, b in (pair, pair[::-1])}
    head_of = {label: head for head, label in config.labels.items()}
    heads = list(range(max(config.labels) + 1))
    for label, head in head_of.items():
        heads[head] = head_of.get(other_side.get(label, label), head)
    return LateralMirror(axis, tuple(heads))

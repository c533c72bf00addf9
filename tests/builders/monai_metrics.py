"""MONAI's metrics and losses, for comparison.

Importing MONAI loads holoscan, which warns about the machine; its metrics call deprecated parts of
its own.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from monai.losses import DiceCELoss
    from monai.metrics import compute_average_surface_distance, compute_panoptic_quality


def surface_distance(
    prediction: np.ndarray,
    reference: np.ndarray,
    spacing: tuple[float, ...],
    *,
    symmetric: bool = False,
) -> float:
    """Distance of the prediction's border to the reference's, or of both pooled."""
    masks = [torch.from_numpy(mask)[None, None] for mask in (prediction, reference)]
    options = {"include_background": True, "spacing": spacing, "symmetric": symmetric}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(compute_average_surface_distance(*masks, **options))


def panoptic_quality(prediction: np.ndarray, reference: np.ndarray, name: str) -> float:
    """Compute ``rq``, ``sq`` or ``pq`` at an IoU above 0.5."""
    maps = [torch.from_numpy(labels) for labels in (prediction, reference)]
    return float(compute_panoptic_quality(*maps, metric_name=name, remap=True))


def dice_and_entropy(logits: torch.Tensor, target: torch.Tensor, smoothing: float) -> float:
    """Cross-entropy plus the mean soft Dice loss over all classes above background."""
    loss = DiceCELoss(
        include_background=False,
        to_onehot_y=True,
        softmax=True,
        batch=True,
        smooth_nr=smoothing,
        smooth_dr=smoothing,
    )
    return float(loss(logits, target[:, None]))

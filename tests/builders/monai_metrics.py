"""MONAI's metrics on arrays, for comparison.

Importing MONAI loads holoscan, which warns about the machine; its metrics call deprecated parts of
its own.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
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

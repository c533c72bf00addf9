"""What an answer to a cut-out costs: cross-entropy, and MONAI's soft Dice of the vertebrae."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from torch.nn import functional

from app.run.bootstrap import prepare_process

if TYPE_CHECKING:
    import torch

_SMOOTHING = 5.0
"""Added to numerator and denominator of the Dice, voxels."""


class CutoutLoss:
    """Cross-entropy and mean soft Dice loss of the classes above background.

    Made only where phase 2 is trained: MONAI loads for seconds.
    """

    def __init__(self) -> None:
        prepare_process()  # MONAI imports the Deploy SDK, and that holoscan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports deprecated parts of its own
            from monai.losses import DiceLoss  # noqa: PLC0415 - see above

        self._dice = DiceLoss(
            include_background=False,
            to_onehot_y=True,
            softmax=True,
            batch=True,
            smooth_nr=_SMOOTHING,
            smooth_dr=_SMOOTHING,
            reduction="none",
        )

    def __call__(
        self, logits: torch.Tensor, target: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compare logits (1, C, X, Y, Z) with classes (1, X, Y, Z) int64.

        Returns
        -------
        tuple of 2 scalar tensors
            Cross-entropy, and 1 - mean soft Dice of the vertebrae that occur (of all where none
            does).
        """
        logits = logits.float()
        dice = self._dice(logits, target[:, None]).flatten()
        there = target.flatten().bincount(minlength=logits.shape[1])[1:] > 0
        wanted = dice[there] if bool(there.any()) else dice
        return functional.cross_entropy(logits, target), wanted.mean()

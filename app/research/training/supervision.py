"""What a label says about a voxel, also where an annotator said less than the network must know.

Data sets differ in what they mark. A voxel may be known exactly (41-49, 60, 61, 62, 100, 26, or
background), or only as *some* part of a vertebra, or not at all. Each of these is a set of allowed
classes, and the loss asks for the probability of the set (its classes' probabilities summed), so
that nothing is taught that nobody said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from operators.anatomy.labels import LEFT_RIGHT_PAIRS, MODEL_STRUCTURES, Structure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SOME_VERTEBRA: Final = 251
"""Part of a mobile vertebra (41-49, or its endplate 62); which one is not said."""

SOME_CANAL: Final = 252
"""Canal or cord (60, 61)."""

OUTSIDE: Final = 253
"""Not vertebra, disc or canal; sacrum (26) and endplates (62) were not annotated."""

UNKNOWN: Final = 255
"""Not annotated: takes no part in the loss."""

CLASSES: Final = len(MODEL_STRUCTURES) + 1
"""Classes of the network: background and the 14 structures."""

_SETS: Final[dict[int, tuple[int, ...]]] = {
    SOME_VERTEBRA: (*range(Structure.ARCUS, Structure.CORPUS + 1), Structure.ENDPLATE),
    SOME_CANAL: (Structure.CORD, Structure.CANAL),
    OUTSIDE: (0, Structure.SACRUM, Structure.ENDPLATE),
    UNKNOWN: (0, *MODEL_STRUCTURES),
}

CODES: Final = CLASSES + len(_SETS)
"""Codes of a training target: the network's classes, then the sets in the order of `_SETS`."""

UNKNOWN_CODE: Final = CODES - 1

_BACKGROUND_CODES: Final = (0, CLASSES + list(_SETS).index(OUTSIDE), UNKNOWN_CODE)


def _code_table() -> NDArray[np.uint8]:
    table = np.zeros(256, dtype=np.uint8)
    for index, structure in enumerate(MODEL_STRUCTURES, start=1):
        table[structure] = index
    table[[Structure.ENDPLATE_SUPERIOR, Structure.ENDPLATE_INFERIOR]] = table[Structure.ENDPLATE]
    table[[Structure.CORPUS_DENSE, Structure.DENS]] = table[Structure.CORPUS]
    for index, label in enumerate(_SETS, start=CLASSES):
        table[label] = index
    return table


def _mirror_table() -> NDArray[np.uint8]:
    table = np.arange(256, dtype=np.uint8)
    for left, right in LEFT_RIGHT_PAIRS:
        table[left], table[right] = right, left
    return table


CODE_OF_LABEL: Final = _code_table()
"""Label to target code; 0 for everything the network doesn't know."""

MIRRORED_LABEL: Final = _mirror_table()
"""Label to the label of its mirror image."""


def _mirrored_codes() -> NDArray[np.uint8]:
    table = np.arange(CODES, dtype=np.uint8)
    for structure in MODEL_STRUCTURES:
        table[CODE_OF_LABEL[structure]] = CODE_OF_LABEL[MIRRORED_LABEL[structure]]
    return table


MIRRORED_CODE: Final = _mirrored_codes()
"""Target code to the code of its mirror image."""


def membership() -> torch.Tensor:
    """Which classes each code allows.

    Returns
    -------
    (CODES, CLASSES) float32 tensor
        1 where the class is allowed.
    """
    allowed = torch.zeros(CODES, CLASSES)
    allowed[:CLASSES] = torch.eye(CLASSES)
    for code, labels in enumerate(_SETS.values(), start=CLASSES):
        for label in labels:
            allowed[code, int(CODE_OF_LABEL[label])] = 1.0
    return allowed


class SetLoss:
    """Cross-entropy and soft Dice of sets of classes.

    For targets without sets these are the usual cross-entropy and the usual soft Dice over the
    foreground classes that occur. A voxel that may be of several classes costs minus the logarithm
    of their summed probability; one that may be of all costs nothing and is left out of the Dice.

    Parameters
    ----------
    label_weights : mapping of int to float
        Weight of a label in the cross-entropy; 1 where absent.
    smoothing : float
        Added to numerator and denominator of the Dice, voxels.
    least_voxels : int
        A code with fewer voxels in the tile has no Dice.
    """

    def __init__(
        self, label_weights: Mapping[int, float], *, smoothing: float = 10.0, least_voxels: int = 20
    ) -> None:
        self._smoothing, self._least = smoothing, least_voxels
        self._allowed = membership()
        weights = torch.ones(CODES)
        for label, weight in label_weights.items():
            weights[int(CODE_OF_LABEL[label])] = weight
        weights[UNKNOWN_CODE] = 0.0
        self._weights = weights

    def __call__(
        self, logits: torch.Tensor, target: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compare logits (1, CLASSES, Z, Y, X) with codes (1, Z, Y, X) int64.

        Returns
        -------
        tuple of 2 scalar tensors
            Cross-entropy and 1 - mean soft Dice over the foreground codes that occur.
        """
        device = logits.device
        flat = target.flatten()
        sizes = flat.bincount(minlength=CODES)
        log = logits.float().log_softmax(1)
        said = self._log_probability(log, target, sizes)
        weights = self._weights.to(device)[flat]
        entropy = -(weights * said).sum() / weights.sum().clamp_min(1.0)
        return entropy, self._dice_loss(log.exp(), said.exp(), flat, sizes)

    def _log_probability(
        self, log: torch.Tensor, target: torch.Tensor, sizes: torch.Tensor
    ) -> torch.Tensor:
        """Log of the probability of each voxel's set, flattened."""
        exact = target.clamp_max(CLASSES - 1)
        said = log.gather(1, exact[:, None]).flatten()
        flat = target.flatten()
        for code in range(CLASSES, CODES):
            if bool(sizes[code]):
                classes = self._allowed[code].nonzero().flatten().to(log.device)
                summed = log[:, classes].logsumexp(1).flatten()
                said = torch.where(flat == code, summed, said)
        return said

    def _dice_loss(
        self,
        probability: torch.Tensor,
        said: torch.Tensor,
        flat: torch.Tensor,
        sizes: torch.Tensor,
    ) -> torch.Tensor:
        known = flat != UNKNOWN_CODE
        # Sums by adding: a one-hot target of this size costs more than the rest of the loss.
        overlap = torch.zeros(CODES, device=said.device).index_add(0, flat, said)
        if bool(sizes[UNKNOWN_CODE]):
            probability = probability * known.view(1, 1, *probability.shape[2:])
        mass = self._allowed.to(said.device) @ probability.sum((0, 2, 3, 4))
        dice = 1 - (2 * overlap + self._smoothing) / (mass + sizes + self._smoothing)
        wanted = sizes > self._least
        wanted[list(_BACKGROUND_CODES)] = False
        return dice[wanted].mean() if bool(wanted.any()) else 0.1 * dice[1:CLASSES].mean()

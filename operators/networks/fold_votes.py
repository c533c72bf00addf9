"""Do the networks of a model agree? Every answer votes for its best class, tile by tile.

The labels are decided from mean logits, and so is their probability: where two folds contradict
each other, the mean shows doubt at best, and certainty at worst (two folds that are sure of A
outshout a third that is less sure of B). How far the members of an ensemble agree is a measure of
its own. Here it is the share of answers that name the class which their mean names, one minus the
variation ratio (Freeman 1965, Elementary Applied Statistics; for ensembles: Lakshminarayanan et
al. 2017, arXiv 1612.01474, and Beluch et al. 2018, doi 10.1109/CVPR.2018.00976). It is chosen over
the members' mean probability because it needs no calibration and no temperature, reads as what it
is ("two of three folds say so"), and says something that the probability of the mean does not.

An answer is one network's logits for one mirror image of a tile, turned back. The share is taken
within the tile, where all members saw the same voxels, and averaged over the tiles that see a
voxel with the weights of their logits. So it takes one more channel per voxel, however many folds
there are, and identical folds agree exactly, whatever the tiles, the mirror images and the grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from operators.networks.lateral_mirror import LateralMirror


class Answer(NamedTuple):
    """What an ensemble says about a tile.

    Attributes
    ----------
    logits : (1, heads, Z, Y, X) Tensor of float32
        Mean over networks and mirror images.
    agreement : (Z, Y, X) Tensor of float32 or None
        Share, 0 to 1, of the answers whose best class is that of the mean; None where nobody
        counted, as with a single network.
    """

    logits: Tensor
    agreement: Tensor | None = None


class Votes:
    """The best classes of one tile's answers: a byte per voxel and answer."""

    def __init__(self) -> None:
        self._votes: list[Tensor] = []

    def add(self, logits: Tensor, mirror: LateralMirror | None = None) -> None:
        """Count an answer.

        Parameters
        ----------
        logits : (1, heads, Z, Y, X) Tensor
            One network's.
        mirror : LateralMirror or None
            Given where the logits are of the left/right mirror image and still lie mirrored.
        """
        vote = _best(logits)
        if mirror is not None:
            names = torch.tensor(mirror.heads, dtype=torch.uint8, device=vote.device)
            vote = names[vote.flip(mirror.axis).int()]
        self._votes.append(vote)

    def agreement(self, mean: Tensor) -> Tensor:
        """Share of the answers that name the best class of the mean.

        Parameters
        ----------
        mean : (1, heads, Z, Y, X) Tensor
            Mean logits of all answers.

        Returns
        -------
        (Z, Y, X) Tensor of float32
            0 (a compromise that no answer names) to 1 (all the same).
        """
        decided = _best(mean)
        same = torch.zeros_like(decided)
        for vote in self._votes:
            same += vote == decided
        return same.float().div_(len(self._votes))


def _best(logits: Tensor) -> Tensor:
    """Class of the highest logit, slice by slice: its index takes 8 bytes per voxel."""
    # Voxel by voxel, all classes side by side: the layout of channels-last networks.
    by_voxel = logits[0].permute(1, 2, 3, 0)
    best = torch.empty(by_voxel.shape[:3], dtype=torch.uint8, device=logits.device)
    for k, part in enumerate(by_voxel):
        best[k] = part.argmax(dim=-1)
    return best

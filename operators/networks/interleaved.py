"""Images of thin slices: two runs over every second slice, which lie between each other's.

A network of slices 3.3 mm apart sees of an image with slices of 1 mm only what lies at its own
places, and what is thin along that axis, as the spinal cord is, is found or missed by where they
happen to lie. The second run sees the places between. Each run's logits, interpolated to all
places, are averaged with the other's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from operators.networks.slab_decision import OnFinerGrid, SameGrid

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from operators.networks.slab_decision import Finer, Head, Prediction

    Progress = Callable[[int, int], None]

RUNS: Final = 2


def part_of(progress: Progress | None, run: int) -> Progress | None:
    """Progress of both runs together out of that of one of them.

    Parameters
    ----------
    progress : callable or None
        Gets (done, total) tiles of both.
    run : int
        0 or 1.
    """
    if progress is None:
        return None
    return lambda done, total: progress(run * total + done, RUNS * total)


def decide_between(
    runs: tuple[Tensor, Tensor], head: Head, axis: int, finer: Finer | None
) -> Prediction:
    """Decide on all slices from the logits of every second one and of those between.

    Parameters
    ----------
    runs : pair of (.., count) Tensor
        Mean logits (`sliding_window.mean_logits`) of the slices 0, 2, ... and 1, 3, ...
    head : Head
        Decides.
    axis : int
        Of the slices: 0, 1 or 2.
    finer : Finer or None
        Grid of the image; None where it is that of all slices.

    Returns
    -------
    Prediction
        On that grid.
    """
    count = sum(run.shape[axis] for run in runs)
    shape = [*runs[0].shape[:3]]
    shape[axis] = count
    k, j, i = shape
    inner = slice(0, k), slice(0, j), slice(0, i)
    decisions: SameGrid | OnFinerGrid = SameGrid(head, (k, j, i), inner, axis)
    if finer is not None:
        decisions = OnFinerGrid(head, inner, axis, finer)
    ones = torch.ones(1, device=runs[0].device)

    def slice_of_either(place: int) -> Tensor:
        return runs[place % RUNS].select(axis, place // RUNS)

    for place in range(count):
        # A run's logits at a place between two of its slices are their mean, beyond its outermost
        # slice this one's.
        sides = [n for n in (place - 1, place + 1) if 0 <= n < count]
        between = sum(slice_of_either(n) for n in sides) / len(sides)
        mean = ((slice_of_either(place) + between) / 2).unsqueeze(axis)
        weights = ones.expand(*mean.shape[:3], 1)
        votes = mean.shape[3] - head.count
        agreed = mean[..., head.count :] if votes else None
        decisions.take(mean[..., : head.count], weights, agreed)
    return decisions.result()

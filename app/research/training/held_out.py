"""Figures on held-out cases: always the same samples, voxels pooled over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from app.research.training.cases import Case
    from app.research.training.shelf import CaseShelf, JoinedShelves

Sample = TypeVar("Sample")


def held_out_samples(
    shelf: CaseShelf | JoinedShelves | None,
    seed: int,
    count: int,
    draw: Callable[[np.random.Generator, Case], Sample | None],
) -> Iterator[Sample]:
    """Draw the fixed samples of a training, the cases in turn.

    Parameters
    ----------
    shelf : CaseShelf, JoinedShelves or None
        Held-out cases; nothing where there are none.
    seed : int
        Of the training.
    count : int
        Samples, over all cases.
    draw : callable
        Takes a generator and a case; None = this case has no sample.
    """
    if shelf is None or not shelf.refresh():
        return
    for number in range(count):
        rng = np.random.default_rng([seed, 1, number])
        sample = draw(rng, shelf.read(shelf.names[number % len(shelf.names)]))
        if sample is not None:
            yield sample


class PooledDice:
    """Dice of classes over the voxels of several samples.

    Parameters
    ----------
    classes : int
        Classes are 0 to ``classes`` - 1.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._counts = np.zeros((3, classes), dtype=np.int64)

    def add(self, found: NDArray[np.integer], reference: NDArray[np.integer]) -> None:
        """Count the voxels of one sample."""
        maps = (found, reference, reference[found == reference])
        self._counts += [np.bincount(each.ravel(), minlength=self._classes) for each in maps]

    def of(self, number: int) -> float | None:
        """Dice of a class; None where no reference holds it."""
        found, there, both = (int(count) for count in self._counts[:, number])
        return round(2 * both / (found + there), 4) if there else None

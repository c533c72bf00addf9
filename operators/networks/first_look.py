"""A first look at an image, before all tiles are done: does it show what is looked for at all.

A few tiles that together show the whole image are asked first, those in its middle before all
others, until one of them shows what is wanted. A knee or noise ends here. A spine shows itself in
the very first tile nearly always, and that tile's answer is used again: the look costs nothing, and
what follows is the same to the last bit.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from operators.errors import NoSpineFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from operators.networks.fold_votes import Answer

    Sizes = tuple[int, int, int]
    Starts = tuple[list[int], list[int], list[int]]


def first_to_show(
    wanted: Callable[[Answer], bool],
    ask: Callable[[Sequence[Sizes]], Iterable[Answer]],
    corners: Sequence[Sizes],
    at_a_time: int = 1,
) -> dict[Sizes, Answer]:
    """Ask tiles until one shows what is wanted.

    Parameters
    ----------
    wanted : callable
        Whether an answer shows it.
    ask : callable
        First voxels of tiles -> their answers in the same order.
    corners : sequence of tuple
        First voxels of the tiles to ask, in this order (`spread_corners`).
    at_a_time : int
        Tiles to ask together.

    Returns
    -------
    dict of tuple to Answer
        First voxel and answer of the tiles that were asked with the one that shows it, and of that
        one.

    Raises
    ------
    NoSpineFoundError
        ``no_vertebral_body``: none of them shows it.
    """
    for begin in range(0, len(corners), at_a_time):
        together = corners[begin : begin + at_a_time]
        answers = dict(zip(together, ask(together), strict=True))
        if any(wanted(answer) for answer in answers.values()):
            return answers
    raise NoSpineFoundError(reasons=("no_vertebral_body",))


def spread_corners(starts: Starts, patch: Sizes) -> list[Sizes]:
    """First voxels of tiles that hold every voxel of the image, the middle of the image first.

    Parameters
    ----------
    starts : tuple of 3 lists of int
        First voxels of the tiles per axis.
    patch : tuple of 3 int
        Tile in voxels.
    """
    rows = [_spread(row, length) for row, length in zip(starts, patch, strict=True)]
    middle = [(row[0] + row[-1]) / 2 for row in starts]

    def distance(corner: Sizes) -> float:
        return sum(
            ((begin - centre) / length) ** 2
            for begin, centre, length in zip(corner, middle, patch, strict=True)
        )

    k, j, i = rows
    return sorted(product(k, j, i), key=distance)


def _spread(starts: Sequence[int], length: int) -> list[int]:
    """As few of the starts as leave no gap between tiles."""
    kept = [starts[0]]
    while kept[-1] != starts[-1]:
        kept.append(max(start for start in starts if start <= kept[-1] + length))
    return kept

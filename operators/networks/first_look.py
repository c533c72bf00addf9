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
    from collections.abc import Callable, Sequence

    from operators.networks.fold_votes import Answer

    Sizes = tuple[int, int, int]
    Starts = tuple[list[int], list[int], list[int]]


def first_to_show(
    wanted: Callable[[Answer], bool],
    ask: Callable[[Sizes], Answer],
    starts: Starts,
    patch: Sizes,
) -> dict[Sizes, Answer]:
    """Ask tiles until one shows what is wanted.

    Parameters
    ----------
    wanted : callable
        Whether an answer shows it.
    ask : callable
        First voxel of a tile -> answer.
    starts : tuple of 3 lists of int
        First voxels of the tiles per axis.
    patch : tuple of 3 int
        Tile in voxels.

    Returns
    -------
    dict of tuple to Answer
        First voxel and answer of the one tile that shows it.

    Raises
    ------
    NoSpineFoundError
        ``no_vertebral_body``: tiles over the whole image, and none of them shows it.
    """
    for corner in spread_corners(starts, patch):
        answer = ask(corner)
        if wanted(answer):
            return {corner: answer}
    raise NoSpineFoundError(reasons=("no_vertebral_body",))


def spread_corners(starts: Starts, patch: Sizes) -> list[Sizes]:
    """First voxels of tiles that hold every voxel of the image, the middle of the image first.

    Parameters
    ----------
    starts, patch
        As for `first_to_show`.
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

"""A first look at an image: is there what is looked for, and which tiles are worth asking.

Tiles that together show the whole image are asked first, those in its middle before all others. If
none of them shows what is wanted, that is the answer: a knee or noise ends here. Of the tiles
between them only those are asked in whose middle something was seen; the rim of a tile hardly
counts beside the middle of its neighbours (`tile_weights`). Half of the tiles of a lumbar field
show nothing but belly and back. No answer is wasted: those of the look count like all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from operators.errors import NoSpineFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from operators.networks.fold_votes import Answer

    Sizes = tuple[int, int, int]
    Starts = tuple[list[int], list[int], list[int]]
    Asks = Callable[[Sequence[Sizes]], Iterable[Answer]]

_HELD_BYTES = 2**29
"""Answers that may be held between the look and their place in the sums: 45 of the bundled network,
two of the published one, for which the look only asks whether there is a spine (any of its tiles,
192 mm wide, shows the column of a lumbar field)."""

_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Look:
    """What a look is for.

    Attributes
    ----------
    wanted : callable
        Whether an answer shows what at least one has to show.
    occupied : callable
        Answer -> (Z, Y, X) ndarray of bool: where it shows anything.
    """

    wanted: Callable[[Answer], bool]
    occupied: Callable[[Answer], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Tiles:
    """How an image is cut.

    Attributes
    ----------
    starts : tuple of 3 lists of int
        First voxels of the tiles per axis.
    patch : tuple of 3 int
        Tile in voxels.
    inner : (Z, Y, X) ndarray of bool
        Part of a tile that counts.
    """

    starts: Starts
    patch: Sizes
    inner: NDArray[np.bool_]

    @property
    def all(self) -> frozenset[Sizes]:
        """First voxels of all tiles."""
        k, j, i = self.starts
        return frozenset(product(k, j, i))

    def box(self, corner: Sizes) -> tuple[slice, slice, slice]:
        """Where a tile lies in the image."""
        k, j, i = (slice(c, c + p) for c, p in zip(corner, self.patch, strict=True))
        return k, j, i


def look_at(
    look: Look, ask: Asks, tiles: Tiles, *, heads: int, at_a_time: int = 1
) -> tuple[dict[Sizes, Answer], frozenset[Sizes]]:
    """Look at an image.

    Parameters
    ----------
    look : Look
        What for.
    ask : callable
        First voxels of tiles -> their answers in the same order.
    tiles : Tiles
        How the image is cut.
    heads : int
        Numbers per voxel of an answer.
    at_a_time : int
        Tiles to ask together.

    Returns
    -------
    seen : dict of tuple to Answer
        First voxel and answer of tiles that were asked.
    needed : frozenset of tuple
        First voxels of the tiles to ask besides.

    Raises
    ------
    NoSpineFoundError
        ``no_vertebral_body``: tiles over the whole image, and none of them shows it.
    """
    corners = spread_corners(tiles.starts, tiles.patch)
    if len(corners) * heads * prod(tiles.patch) * _FLOAT_BYTES > _HELD_BYTES:
        seen = _first_to_show(look.wanted, ask, corners, at_a_time)
        return seen, tiles.all - seen.keys()
    seen = dict(zip(corners, ask(corners), strict=True))
    if not any(look.wanted(answer) for answer in seen.values()):
        raise NoSpineFoundError(reasons=("no_vertebral_body",))
    ends = [row[-1] + length for row, length in zip(tiles.starts, tiles.patch, strict=True)]
    occupied = np.zeros(ends, bool)
    for corner, answer in seen.items():
        occupied[tiles.box(corner)] |= look.occupied(answer)
    between = tiles.all - seen.keys()
    return seen, frozenset(
        corner for corner in between if (occupied[tiles.box(corner)] & tiles.inner).any()
    )


def _first_to_show(
    wanted: Callable[[Answer], bool], ask: Asks, corners: Sequence[Sizes], at_a_time: int
) -> dict[Sizes, Answer]:
    """Ask until one shows it: that one, and those asked with it."""
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

"""Which part of an image gets tiles: all of it, but no tile for the sake of the padding alone.

Pre-processing puts four black voxels around an image, and cubic splines leave a ripple in them: of
20 sagittal slices of 4 mm they make 28, and of a field that one tile would hold one that takes two.
What lies beyond the field of view is dropped with the padding in the end. So where leaving out a
part of the padding saves tiles, as much as needed is left out, and nothing anywhere else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from operators.imaging.cropping import Box

    Three = tuple[float, float, float]


def field_of_view(
    shape: tuple[int, int, int], padding: int, spacing_mm: Three, resampled_mm: Three
) -> Box:
    """Find an image in its padded and resampled copy.

    Parameters
    ----------
    shape : tuple of 3 int
        Of the padded image before it was resampled.
    padding : int
        Voxels on every side.
    spacing_mm, resampled_mm : tuple of 3 float
        Before and after; the centre of voxel (0, 0, 0) stayed in its place.

    Returns
    -------
    tuple of 3 slices
        Every resampled voxel that touches the image, and one more on either side.
    """
    k, j, i = (
        slice(
            max(0, math.floor((padding - 0.5) * old / new)),
            math.ceil((size - padding - 0.5) * old / new) + 1,
        )
        for size, old, new in zip(shape, spacing_mm, resampled_mm, strict=True)
    )
    return k, j, i


def tiled_part(box: Box, view: Box, tiles: Callable[[int, int], int]) -> Box:
    """Shrink a box towards the field of view until it needs no more tiles than that.

    Parameters
    ----------
    box : tuple of 3 slices
        Everything that is not black.
    view : tuple of 3 slices
        The field of view.
    tiles : callable
        (axis, voxels) -> tiles along that axis.

    Returns
    -------
    tuple of 3 slices
        Part of ``box``; ``box`` itself where its padding costs no tile.
    """
    k, j, i = (
        _shrunk(whole, inner, lambda size, axis=axis: tiles(axis, size))  # type: ignore[misc]
        for axis, (whole, inner) in enumerate(zip(box, view, strict=True))
    )
    return k, j, i


def _shrunk(box: slice, view: slice, tiles: Callable[[int], int]) -> slice:
    first, last = max(box.start, view.start), min(box.stop, view.stop)
    if first >= last:  # all that is not black is padding
        return box
    begin, end = box.start, box.stop
    fewest = tiles(last - first)
    while tiles(end - begin) > fewest:
        if first - begin >= end - last:
            begin += 1
        else:
            end -= 1
    return slice(begin, end)

"""Divide one connected blob that holds two vertebral bodies by a plane through its waist.

The blob is worn down until it falls apart, both cores grow until they meet, and the plane through
the centre of the contact zone, orthogonal to the line between the cores, divides the blob. Which
blobs need this is decided in ``corpus_splitting``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, generate_binary_structure

from operators.errors import CorpusNotSeparableError
from operators.imaging.components import components
from operators.imaging.cropping import bounding_box
from operators.spine.label_statistics import HEIGHT_AXIS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_EROSIONS = 10
"""Voxels that may be worn off before giving up (SPINEPS); at 0.75 mm that is a 15 mm waist."""

_WITH_CORNERS = generate_binary_structure(3, 3)


def lower_body_of(blob: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the lower of the two bodies that a blob consists of.

    Parameters
    ----------
    blob : (R, I, P) ndarray of bool
        One connected part of the vertebral bodies, PIR.

    Returns
    -------
    (R, I, P) ndarray of bool
        Voxels of the blob below the dividing plane; neither it nor the rest is empty.

    Raises
    ------
    CorpusNotSeparableError
        If the blob wears away without falling apart (``no_waist``), stays whole
        (``still_one_part``), or the plane leaves one side empty (``empty_side``).

    Notes
    -----
    SPINEPS divides a blob that wears away without falling apart into core and shell; their
    centres nearly coincide, so the direction of its plane is chance. Here that is an error.
    """
    box = bounding_box(blob)
    if box is None:
        raise CorpusNotSeparableError("the blob is empty", reasons=("empty_side",))
    # Room for the cores to grow in: they meet at the latest after as many steps as were worn off.
    padded = np.pad(blob[box], 2 * MOST_EROSIONS)
    upper_core, lower_core = _cores(padded)
    point = _contact_centre(upper_core, lower_core)
    normal = _centre(lower_core) - _centre(upper_core)
    beyond = sum(
        (np.arange(size).reshape([-1 if n == axis else 1 for n in range(3)]) - point[axis])
        * normal[axis]
        for axis, size in enumerate(padded.shape)
    )
    lower = padded & (np.asarray(beyond) > 1e-6 * np.abs(normal).max())
    if not lower.any() or np.array_equal(lower, padded):
        raise CorpusNotSeparableError("the plane misses the blob", reasons=("empty_side",))
    out = np.zeros_like(blob)
    out[box] = lower[tuple(slice(2 * MOST_EROSIONS, -2 * MOST_EROSIONS) for _ in range(3))]
    return out


def _cores(blob: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Wear the surface off until the blob breaks; its two biggest parts, upper first."""
    worn = blob
    for _ in range(MOST_EROSIONS + 1):
        worn = binary_erosion(worn, _WITH_CORNERS)
        parts = components(worn, 26)
        if parts.count == 0:
            raise CorpusNotSeparableError("the blob has no waist", reasons=("no_waist",))
        if parts.count > 1:
            first, second = sorted(
                parts.by_size()[:2], key=lambda n: float(parts.centres_zyx[n - 1][HEIGHT_AXIS])
            )
            return parts.mask_of(first), parts.mask_of(second)
    raise CorpusNotSeparableError("the blob stays whole", reasons=("still_one_part",))


def _contact_centre(upper: NDArray[np.bool_], lower: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Grow both by one voxel, then in turns, until they overlap; centre of the overlap."""
    upper = binary_dilation(upper, _WITH_CORNERS)
    lower = binary_dilation(lower, _WITH_CORNERS)
    grow_upper = True
    while not (upper & lower).any():
        if grow_upper:
            upper = binary_dilation(upper, _WITH_CORNERS)
        else:
            lower = binary_dilation(lower, _WITH_CORNERS)
        grow_upper = not grow_upper
    return _centre(upper & lower)


def _centre(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray([float(place.mean()) for place in np.nonzero(mask)])

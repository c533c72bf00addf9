"""Arches and processes that phase 2 gave to each other's vertebrae.

Where a stack is so narrow that no pedicle is in it, nothing joins an arch to its body, and phase 2
may take those of two neighbours for each other's. Arches follow one another as bodies do.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure
from operators.spine.column import Column
from operators.spine.label_statistics import centres_of, voxel_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.thresholds import Spacing

_DECIDING: Final = (Structure.ARCUS, Structure.SPINOUS_PROCESS)
"""The other parts change places where one of these does, if they lie the wrong way round, too."""

LEAST_MM3: Final = 300.0
"""Of such a part on both sides. A small spinous process of the neck has more; less is a piece."""

LEAST_STEP: Final = 0.5
"""How far a part lies on the wrong side of the neighbour's, of the distance of both bodies. Parts
of neighbours lie about one such distance apart, exchanged ones as far the other way round."""


def order_posterior_parts(
    parts: NDArray[np.unsignedinteger],
    vertebrae: NDArray[np.unsignedinteger],
    spacing_zyx_mm: Spacing,
) -> tuple[str, ...]:
    """Give neighbours back the parts that lie in the other's place.

    Parameters
    ----------
    parts, vertebrae : (R, I, P) ndarray
        The latter is changed.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.

    Returns
    -------
    tuple of str
        ``posterior_parts_exchanged: n`` where there were any; n is how many pairs of
        neighbours.
    """
    column = Column.of(parts, vertebrae, spacing_zyx_mm)
    voxel_mm3 = float(np.prod(spacing_zyx_mm))
    exchanged: set[tuple[int, int]] = set()
    for label in POSTERIOR_ELEMENTS:  # arches and spinous processes first
        if label not in _DECIDING and not exchanged:
            break
        of_label = np.where(parts == label, vertebrae, 0)
        sizes, centres = voxel_counts(of_label), centres_of(of_label)
        for above, below in pairwise(column.centres_mm):
            if label not in _DECIDING and (above, below) not in exchanged:
                continue
            size = min(sizes.get(n, 0) for n in (above, below)) * voxel_mm3
            if size < (LEAST_MM3 if label in _DECIDING else voxel_mm3):
                continue
            offset = np.subtract(centres[below], centres[above]) * spacing_zyx_mm
            step = offset @ column.direction(above, below)
            if step > -LEAST_STEP * column.distance(above, below):
                continue
            mine, theirs = of_label == above, of_label == below
            for array in (vertebrae, of_label):
                array[mine], array[theirs] = below, above
            # The next pair meets what this one has now.
            sizes[above], sizes[below] = sizes[below], sizes[above]
            centres[above], centres[below] = centres[below], centres[above]
            exchanged.add((above, below))
    return (f"posterior_parts_exchanged: {len(exchanged)}",) if exchanged else ()

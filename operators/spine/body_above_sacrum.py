"""What of the lowest vertebra's body phase 1 calls sacrum, and its disc shows to be above it.

Where L5 is wedged, has slipped forward or lies at a steep angle, its front resembles S1's. The disc
lies below it all the same and parts it from the sacrum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from operators.anatomy.labels import Structure
from operators.imaging.components import components
from operators.spine.column import Column
from operators.spine.label_statistics import is_one_of
from operators.spine.lower_end import MOST_JOINT_BELOW, joint_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from operators.spine.thresholds import Spacing

MOST_BODY: Final = 1.3
"""Of the volume of the body above, with what is given back: the lowest vertebrae of the real cases
of ``tests.benchmarks.spider`` and ``real_volumes`` have 0.6 to 1.25."""


def return_body_parts(
    parts: NDArray[np.unsignedinteger],
    vertebrae: NDArray[np.unsignedinteger],
    spacing_zyx_mm: Spacing,
    sacrum_labels: Sequence[int] = (Structure.SACRUM,),
) -> tuple[str, ...]:
    """Give the lowest vertebra the pieces of its body that are called sacrum.

    Such a piece touches the body, has no face in common with the sacrum itself, and its centre lies
    no lower than the body's. The vertebra has a disc or an end plate below it: without, nothing
    shows where the sacrum begins.

    Parameters
    ----------
    parts, vertebrae : (R, I, P) ndarray
        Both changed.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.
    sacrum_labels : sequence of int
        Semantic labels of the sacrum.

    Returns
    -------
    tuple of str
        ``body_called_sacrum_returned: n mm3`` where there was any.
    """
    is_sacrum = is_one_of(parts, sacrum_labels)
    column = Column.of(parts, vertebrae, spacing_zyx_mm)
    if not is_sacrum.any() or len(column.centres_mm) < 2:  # noqa: PLR2004  # with one to compare
        return ()
    above, lowest = list(column.centres_mm)[-2:]
    if joint_below(column, sacrum_labels) <= MOST_JOINT_BELOW:
        return ()
    down = column.direction(above, lowest)
    body = column.body(lowest)
    beside = ndimage.binary_dilation(body)
    room = MOST_BODY * np.count_nonzero(column.body(above)) - np.count_nonzero(body)
    pieces = components(is_sacrum, 6)
    touching = set(np.unique(pieces.labels_zyx[beside]).tolist()) - {0}
    returned = 0
    for piece in pieces.by_size()[1:]:
        size = pieces.voxel_counts[piece - 1]
        offset = pieces.centres_zyx[piece - 1] * spacing_zyx_mm - column.centres_mm[lowest]
        if piece in touching and offset @ down <= 0 and returned + size <= room:
            mask = pieces.mask_of(piece)
            parts[mask], vertebrae[mask] = Structure.CORPUS, lowest
            returned += size
    volume = returned * float(np.prod(spacing_zyx_mm))
    return (f"body_called_sacrum_returned: {volume:.0f} mm3",) if returned else ()

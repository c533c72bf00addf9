"""Number discs and endplates after the vertebra above them: 100 + X and 200 + X.

Heights decide, never the numbers: T13 (28) lies between T12 (19) and L1 (20), and a vertebra
without a body, the sacrum included, has no height here and so never owns a disc or a plate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import (
    DISC_OFFSET,
    ENDPLATE_OFFSET,
    VERTEBRA_INSTANCES,
    Structure,
)
from operators.anatomy.vertebrae import number_above
from operators.imaging.components import components
from operators.spine.label_statistics import HEIGHT_AXIS, centres_of, is_one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ENDPLATES = (Structure.ENDPLATE, Structure.ENDPLATE_SUPERIOR, Structure.ENDPLATE_INFERIOR)


def body_heights(
    semantic: NDArray[np.unsignedinteger], instances: NDArray[np.unsignedinteger]
) -> dict[int, float]:
    """Height of every vertebral body.

    Parameters
    ----------
    semantic, instances : (R, I, P) ndarray
        On one grid.

    Returns
    -------
    dict
        Vertebra number to the mean I index of its label 49, from top to bottom; vertebrae
        without that label are missing.
    """
    bodies = np.where(semantic == Structure.CORPUS, instances, 0)
    heights = {
        label: centre[HEIGHT_AXIS]
        for label, centre in centres_of(bodies).items()
        if label in VERTEBRA_INSTANCES
    }
    return dict(sorted(heights.items(), key=lambda item: item[1]))


def number_discs(
    semantic: NDArray[np.unsignedinteger],
    instances: NDArray[np.unsignedinteger],
    heights: Mapping[int, float],
) -> tuple[str, ...]:
    """Write 100 + X into the discs below each vertebra X.

    Parameters
    ----------
    semantic : (R, I, P) ndarray
        Read only.
    instances : (R, I, P) ndarray
        Changed. A disc above the topmost body gets the number before it.
    heights : mapping
        As from `body_heights`.

    Returns
    -------
    tuple of str
        ``disc_in_parts: 104 (2)`` where several discs share a number; ``disc_without_vertebra: n``
        for discs that have no vertebra, which stay 0.
    """
    found = components(semantic == Structure.DISC, 26)
    owners = [_owner(float(centre[HEIGHT_AXIS]), heights) for centre in found.centres_zyx]
    numbers = [DISC_OFFSET + owner if owner else 0 for owner in owners]
    _write(instances, found.labels_zyx, numbers)
    shared = [
        f"disc_in_parts: {number} ({numbers.count(number)})"
        for number in sorted(set(numbers) - {0})
        if numbers.count(number) > 1
    ]
    lost = (f"disc_without_vertebra: {numbers.count(0)}",) if 0 in numbers else ()
    return (*shared, *lost)


def number_endplates(
    semantic: NDArray[np.unsignedinteger],
    instances: NDArray[np.unsignedinteger],
    heights: Mapping[int, float],
) -> None:
    """Write 200 + X into the endplates on both sides of the disc below X.

    Parameters
    ----------
    semantic : (R, I, P) ndarray
        Read only; 52, 53 and 62 count as endplate.
    instances : (R, I, P) ndarray
        Changed. A plate above the topmost body goes to the vertebra above it, if that one is in
        the image without its body; else it gets the number of that body, as in SPINEPS.
    heights : mapping
        As from `body_heights`; if empty, nothing is written.
    """
    if not heights:
        return
    found = components(is_one_of(semantic, ENDPLATES), 26)
    topmost = next(iter(heights))
    above = number_above(topmost)
    top_owner = above if above and (instances == above).any() else topmost
    numbers = []
    for centre in found.centres_zyx:
        height = float(centre[HEIGHT_AXIS])
        owner = top_owner if height <= heights[topmost] else _owner(height, heights)
        numbers.append(ENDPLATE_OFFSET + owner)
    _write(instances, found.labels_zyx, numbers)


def _owner(height: float, heights: Mapping[int, float]) -> int:
    """Vertebra whose body is the nearest above a height; 0 if there is none."""
    above = [label for label, own in heights.items() if own < height]
    if above:
        # Of bodies at one height the lowest number, so that their order does not matter.
        return min(n for n in above if heights[n] == heights[above[-1]])
    return number_above(next(iter(heights))) if heights else 0


def _write(
    instances: NDArray[np.unsignedinteger],
    components_zyx: NDArray[np.unsignedinteger],
    numbers: list[int],
) -> None:
    table = np.array([0, *numbers], instances.dtype)
    at = components_zyx > 0
    instances[at] = table[components_zyx[at]]

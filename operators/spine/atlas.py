"""C1, the vertebra without a body: told from a piece of C2, and from C2's dens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import Structure
from operators.spine.label_statistics import is_one_of, voxel_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.thresholds import Spacing

OWN_PROCESS_RATIO = 0.25
"""A topmost vertebra whose transverse processes both reach this share of the next one's is C1. The
pieces of a split C2 share its processes out: one of them has most of a side, or of both."""

DENS_RATIO = 0.5
"""What a C1 has of a body is the dens of C2 if it is less than this share of C2's body: 8 to 32 %
in the synthetic studies in which it was seen. Where it is more, nothing is moved."""

CERVICAL_DEPTH_MM = 20.0
"""A vertebra under C1 is C2, whose body is 15 mm deep (Panjabi et al. 1991); a third is added for
large people. Thoracic bodies are deeper from T3 on (20.5 mm), lumbar ones 32 mm and more."""

TRANSVERSE_PROCESSES = (Structure.COSTAL_PROCESS_LEFT, Structure.COSTAL_PROCESS_RIGHT)

BODIES = (Structure.CORPUS, Structure.CORPUS_DENSE, Structure.DENS)


def is_cervical(
    semantic: NDArray[np.unsignedinteger],
    instances: NDArray[np.unsignedinteger],
    number: int,
    spacing_zyx_mm: Spacing,
) -> bool:
    """Say whether a vertebra's body is no deeper than a cervical one.

    Parameters
    ----------
    semantic, instances : (R, I, P) ndarray
        On one grid.
    number : int
        Instance in question.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.

    Returns
    -------
    bool
        By the area of the body's largest sagittal section over the section's height: a mean depth
        that neither a lip nor a tilt of the body changes much. False without a body.
    """
    body = is_one_of(semantic, BODIES) & (instances == number)
    areas = np.count_nonzero(body, axis=(1, 2))
    if not areas.any():
        return False
    section = body[int(areas.argmax())]
    height = np.count_nonzero(section.any(axis=1))
    return float(areas.max() / height * spacing_zyx_mm[2]) <= CERVICAL_DEPTH_MM


def has_own_processes(
    semantic: NDArray[np.unsignedinteger],
    instances: NDArray[np.unsignedinteger],
    first: int,
    second: int,
) -> bool:
    """Say whether a vertebra has a transverse process on both sides beside another one's.

    Parameters
    ----------
    semantic, instances : ndarray
        On one grid, any orientation.
    first, second : int
        Instance in question, and the one below it.
    """
    for side in TRANSVERSE_PROCESSES:
        sizes = voxel_counts(np.where(semantic == side, instances, 0))
        own = sizes.get(first, 0)
        if own == 0 or own < OWN_PROCESS_RATIO * sizes.get(second, 0):
            return False
    return True


def is_atlas(
    semantic: NDArray[np.unsignedinteger],
    instances: NDArray[np.unsignedinteger],
    pair: tuple[int, int],
    spacing_zyx_mm: Spacing,
) -> bool:
    """Say whether the upper one of two neighbours is C1.

    Parameters
    ----------
    semantic, instances : (R, I, P) ndarray
        On one grid.
    pair : tuple of 2 ints
        Topmost instance and the one below it.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.

    Returns
    -------
    bool
        True where the first has no more of a body than a dens, both transverse processes, and a
        cervical vertebra below it whose body rises to its middle, as C2 does with the dens. Between
        other vertebrae there is a disc; an arch whose body lies above the image hangs down beside
        the next body, but its transverse processes stand above it.
    """
    first, second = pair
    is_body = is_one_of(semantic, BODIES)
    own, other = (is_body & (instances == number) for number in pair)
    if np.count_nonzero(own) >= DENS_RATIO * np.count_nonzero(other):
        return False
    sides = is_one_of(semantic, TRANSVERSE_PROCESSES) & (instances == first)
    rows, top = np.nonzero(sides)[1], np.nonzero(other | own)[1].min()
    return bool(
        rows.size
        and top <= rows.mean()
        and has_own_processes(semantic, instances, first, second)
        and is_cervical(semantic, instances, second, spacing_zyx_mm)
    )


def give_dens_to_axis(
    semantic: NDArray[np.unsignedinteger],
    instances: NDArray[np.unsignedinteger],
    atlas: int,
    axis: int,
) -> None:
    """Let C2 have the body that C1 has, if it is no more than a dens.

    Parameters
    ----------
    semantic : ndarray
        Read only.
    instances : ndarray
        Changed; on the same grid, any orientation.
    atlas, axis : int
        Instances of C1 and C2.
    """
    is_body = is_one_of(semantic, BODIES)
    of_atlas = is_body & (instances == atlas)
    of_axis = np.count_nonzero(is_body & (instances == axis))
    if np.count_nonzero(of_atlas) < DENS_RATIO * of_axis:
        instances[of_atlas] = axis

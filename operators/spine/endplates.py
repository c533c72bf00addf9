"""Tell superior (52) from inferior (53) endplates by the body that a plate lies on.

An endplate belongs to the nearest vertebral body, or to the sacrum; whether it is the upper or
the lower one is decided along the spine's own axis, not along the scanner's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

from operators.anatomy.labels import SACRUM_INSTANCE, VERTEBRA_INSTANCES, Structure
from operators.imaging.cropping import bounding_box
from operators.spine.label_statistics import HEIGHT_AXIS, centres_of, from_the_top, widened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.thresholds import Spacing

REACH_MM = 10.5
"""Plates further from every body stay 62 (SPINEPS: 14 voxels of 0.75 mm)."""


def split_endplates(
    semantic: NDArray[np.unsignedinteger],
    instances: NDArray[np.unsignedinteger],
    spacing_zyx_mm: Spacing,
) -> tuple[str, ...]:
    """Turn label 62 into 52 (superior) and 53 (inferior).

    Parameters
    ----------
    semantic : (R, I, P) ndarray
        Changed: only voxels of 62, and only to 52 or 53.
    instances : (R, I, P) ndarray
        Vertebrae 1-25, 28 and sacrum 26; read only.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.

    Returns
    -------
    tuple of str
        ``endplate_voxels_unassigned: n`` if some stay 62.

    Notes
    -----
    The sacrum has a superior plate only. SPINEPS decides by ids and heights: it makes the
    topmost superior plate inferior and erases plates next to a sacrum or T13.
    """
    at = semantic == Structure.ENDPLATE
    box = bounding_box(at)
    if box is None:
        return ()
    spacing = np.asarray(spacing_zyx_mm)
    margins = max(int(np.ceil(REACH_MM / size)) for size in spacing_zyx_mm)
    near = widened(box, margins, semantic.shape)
    bodies = _bodies(semantic, instances)
    surface = _surface_of(bodies[near])
    points = np.argwhere(surface) * spacing
    plates = np.argwhere(at[near])
    if not len(points):
        return (f"endplate_voxels_unassigned: {len(plates)}",)
    owners = np.append(bodies[near][surface], 0)
    _, nearest = cKDTree(points).query(plates * spacing, distance_upper_bound=REACH_MM)
    owner = owners[nearest]

    is_inferior = np.zeros(len(plates), np.bool_)
    corner = np.array([side.start for side in near])
    for label, (centre, downwards) in _axes(bodies, spacing).items():
        mine = owner == label
        offset = (plates[mine] + corner) * spacing - centre
        is_inferior[mine] = offset @ downwards > 0
    kind = np.where(is_inferior, Structure.ENDPLATE_INFERIOR, Structure.ENDPLATE_SUPERIOR)
    kind[owner == 0] = Structure.ENDPLATE
    semantic[at] = kind
    left = int(np.count_nonzero(owner == 0))
    return (f"endplate_voxels_unassigned: {left}",) if left else ()


def _bodies(
    semantic: NDArray[np.unsignedinteger], instances: NDArray[np.unsignedinteger]
) -> NDArray[np.unsignedinteger]:
    """Vertebral bodies and sacrum by number."""
    bodies = np.where(semantic == Structure.CORPUS, instances, 0)
    bodies[instances == SACRUM_INSTANCE] = SACRUM_INSTANCE
    return bodies


def _surface_of(bodies: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    inside = bodies > 0
    return inside & ~np.asarray(binary_erosion(inside, border_value=1))


def _axes(
    bodies: NDArray[np.unsignedinteger], spacing: NDArray[np.float64]
) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Centre (mm) and downward direction of each vertebral body, from its neighbours' centres."""
    centres = {n: c for n, c in centres_of(bodies).items() if n in VERTEBRA_INSTANCES}
    order = from_the_top(centres)
    axes = {}
    for place, label in enumerate(order):
        above = np.asarray(centres[order[max(place - 1, 0)]]) * spacing
        below = np.asarray(centres[order[min(place + 1, len(order) - 1)]]) * spacing
        downwards = below - above
        if not downwards[HEIGHT_AXIS] > 0:
            downwards = np.eye(3)[HEIGHT_AXIS]
        axes[label] = (np.asarray(centres[label]) * spacing, downwards)
    return axes

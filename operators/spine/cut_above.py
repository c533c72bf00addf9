"""Parts of a vertebra whose body lies above the image: they belong to no vertebra in it.

A spinous process hangs down to the body below, so that the upper edge of a field of view cuts
vertebrae of which only arch and processes are seen. They must never be given to the vertebra whose
body is the topmost one in the image. What the instance network tells apart stays an instance of
its own (`is_cut_above`); what it leaves uncovered stays without a vertebra (`unclaimed_above`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure
from operators.imaging.components import components
from operators.spine.label_statistics import is_one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.cropping import Box
    from operators.imaging.volume import LabelMap

EDGE_MM = 3.0
"""This close to the first row of the image counts as cut by it: the two voxels of the compact
model's tiles (1.25 mm) whose answers at an edge rest on padding."""

OWN_REACH_MM = 15.0
"""How far superior articular processes rise above their own body: 14.4 mm or less in 95 of 100
synthetic vertebrae (`tests.benchmarks.upper_edge`). A posterior part above that is the next
vertebra's."""

_OWN_ARCH = (Structure.ARCUS, Structure.SPINOUS_PROCESS)


def upper_edge(shape_zyx: tuple[int, ...], affine_lps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the voxels within `EDGE_MM` of the image's upper border.

    Parameters
    ----------
    shape_zyx : tuple of 3 ints
        Of the image, any orientation.
    affine_lps : (4, 4) ndarray
        Index (k, j, i, 1) to LPS mm.

    Returns
    -------
    (Z, Y, X) ndarray of bool
        True in the slab at the end of the axis that points most to the head.
    """
    axis, depth_mm = _heights_from_the_edge(shape_zyx, affine_lps)
    slab = np.zeros(shape_zyx, dtype=bool)
    np.moveaxis(slab, axis, 0)[depth_mm < EDGE_MM] = True
    return slab


def is_cut_above(semantic: LabelMap, instances: LabelMap, bodiless: int, topmost: int) -> bool:
    """Say whether an instance without a body is a vertebra cut by the upper edge.

    Parameters
    ----------
    semantic, instances : LabelMap
        Structures and vertebrae on one grid, any orientation.
    bodiless : int
        Instance in question.
    topmost : int
        Instance of the topmost body; it has an arch or a spinous process of its own, otherwise
        what stands above may be that.

    Returns
    -------
    bool
        True where it reaches the edge, and the image's upper border more closely than the topmost
        vertebra does or as closely.
    """
    posterior = is_one_of(semantic.labels_zyx, POSTERIOR_ELEMENTS)
    own_arch = is_one_of(semantic.labels_zyx, _OWN_ARCH) & (instances.labels_zyx == topmost)
    if not own_arch.any():
        return False
    axis, depth_mm = _heights_from_the_edge(semantic.labels_zyx.shape, semantic.affine_lps)
    others = tuple(n for n in range(3) if n != axis)
    own, next_one = (
        float(
            depth_mm[(posterior & (instances.labels_zyx == number)).any(axis=others)].min(
                initial=np.inf
            )
        )
        for number in (bodiless, topmost)
    )
    return own < EDGE_MM and own <= next_one


@dataclass(frozen=True, slots=True)
class UpperEdge:
    """What post-processing has to know about the upper edge of an image.

    Attributes
    ----------
    edge : (Z, Y, X) ndarray of bool
        As `upper_edge` marks it.
    of_none : (Z, Y, X) ndarray of bool
        As `unclaimed_above` marks it.
    """

    edge: NDArray[np.bool_]
    of_none: NDArray[np.bool_]

    @classmethod
    def of(cls, semantic: LabelMap, instances: LabelMap) -> UpperEdge:
        """Look at whole maps, before they are cropped."""
        edge = upper_edge(semantic.labels_zyx.shape, semantic.affine_lps)
        return cls(edge, unclaimed_above(semantic, instances))

    def within(self, box: Box) -> UpperEdge:
        """Crop to a box."""
        return UpperEdge(self.edge[box], self.of_none[box])

    @property
    def warnings(self) -> tuple[str, ...]:
        """``posterior_voxels_of_no_vertebra: n`` where n > 0."""
        count = int(np.count_nonzero(self.of_none))
        return (f"posterior_voxels_of_no_vertebra: {count}",) if count else ()


def unclaimed_above(semantic: LabelMap, instances: LabelMap) -> NDArray[np.bool_]:
    """Mark posterior elements at the upper edge that no instance claims.

    Parameters
    ----------
    semantic, instances : LabelMap
        Structures and vertebrae on one grid, any orientation; 0 = no vertebra.

    Returns
    -------
    (Z, Y, X) ndarray of bool
        Components (26 neighbours) of unclaimed posterior elements that reach the edge. Nothing
        where the topmost body begins within `OWN_REACH_MM` of the edge, since its own articular
        processes may reach it.
    """
    nothing = np.zeros(semantic.labels_zyx.shape, dtype=bool)
    axis, depth_mm = _heights_from_the_edge(semantic.labels_zyx.shape, semantic.affine_lps)
    others = tuple(n for n in range(3) if n != axis)
    is_body = (semantic.labels_zyx == Structure.CORPUS) & (instances.labels_zyx > 0)
    layers = np.flatnonzero(is_body.any(axis=others))
    if not layers.size or depth_mm[layers].min() < OWN_REACH_MM:
        return nothing
    unclaimed = is_one_of(semantic.labels_zyx, POSTERIOR_ELEMENTS) & (instances.labels_zyx == 0)
    edge = upper_edge(semantic.labels_zyx.shape, semantic.affine_lps)
    if not (unclaimed & edge).any():
        return nothing
    found = components(unclaimed, 26)
    reaching = np.zeros(found.count + 1, dtype=bool)
    reaching[np.unique(found.labels_zyx[edge])] = True
    reaching[0] = False
    return np.asarray(reaching[found.labels_zyx])


def _heights_from_the_edge(
    shape_zyx: tuple[int, ...], affine_lps: NDArray[np.float64]
) -> tuple[int, NDArray[np.float64]]:
    """Axis that points most to the head or the feet, and each layer's distance from the top."""
    axis = int(np.abs(affine_lps[2, :3]).argmax())
    step_mm = float(np.linalg.norm(affine_lps[:3, axis]))
    depth_mm = np.arange(shape_zyx[axis], dtype=np.float64) * step_mm
    return axis, np.asarray(depth_mm[::-1] if affine_lps[2, axis] > 0 else depth_mm)

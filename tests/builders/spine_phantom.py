"""A spine of boxes, every volume known: for the algorithms on label maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import Structure
from operators.imaging.cropping import bounding_box
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import LabelMap, SparseMask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from operators.spine.instance_merging import Triple

SPACING_MM = 1.5
LEVEL = 24
"""Voxels from one vertebra to the next: body 16, endplate 1, disc 6, endplate 1."""
BODY_VOXELS = 20 * 16 * 20
DISC_VOXELS = 20 * 6 * 20
PLATE_VOXELS = 20 * 1 * 20
TOP = 4
"""Free rows above the first vertebra."""


@dataclass(frozen=True)
class Spine:
    """Semantic labels and vertebrae 1, 2, 3 ... from the top, PIR, 1.5 mm isotropic."""

    semantic: LabelMap
    instances: LabelMap

    @property
    def parts(self) -> NDArray[np.unsignedinteger]:
        return self.semantic.labels_zyx.copy()

    @property
    def vertebrae(self) -> NDArray[np.unsignedinteger]:
        return self.instances.labels_zyx.copy()


def pir_map(
    labels_zyx: NDArray[np.unsignedinteger],
    spacing_zyx_mm: tuple[float, float, float] = (SPACING_MM,) * 3,
) -> LabelMap:
    """Place an array [R, I, P] in the patient."""
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    k, j, i = spacing_zyx_mm
    affine[0, 0], affine[2, 1], affine[1, 2] = -k, -j, i
    affine[:3, 3] = (40.0, -30.0, 150.0)
    return LabelMap(labels_zyx, affine)


def body_rows(level: int) -> slice:
    """I range of the body of vertebra ``level`` (0 = topmost)."""
    return slice(TOP + level * LEVEL, TOP + level * LEVEL + 16)


def spine_of(count: int, *, sacrum: bool = False) -> Spine:
    """Stack vertebrae with discs between (and below the last one if a sacrum follows)."""
    rows = TOP + count * LEVEL + (20 if sacrum else 0)
    parts = np.zeros((32, rows, 56), np.uint8)
    vertebrae = np.zeros(parts.shape, np.uint16)
    parts[11:21, :, 26:34] = Structure.CANAL
    parts[13:19, :, 28:32] = Structure.CORD
    for level in range(count):
        _draw_vertebra(parts, vertebrae, level)
        if level + 1 < count or sacrum:
            below = body_rows(level).stop
            parts[6:26, below, 4:24] = Structure.ENDPLATE
            parts[6:26, below + 1 : below + 7, 4:24] = Structure.DISC
            parts[6:26, below + 7, 4:24] = Structure.ENDPLATE
    if sacrum:
        top = TOP + count * LEVEL
        parts[6:26, top : top + 16, 4:24] = Structure.SACRUM
    return Spine(pir_map(parts), pir_map(vertebrae))


def _draw_vertebra(parts: NDArray[np.uint8], vertebrae: NDArray[np.uint16], level: int) -> None:
    first = body_rows(level).start
    boxes = {
        Structure.CORPUS: [(slice(6, 26), slice(0, 16), slice(4, 24))],
        Structure.ARCUS: [
            (slice(6, 9), slice(4, 10), slice(24, 35)),
            (slice(23, 26), slice(4, 10), slice(24, 35)),
            (slice(6, 26), slice(4, 12), slice(35, 39)),
        ],
        Structure.SPINOUS_PROCESS: [(slice(14, 18), slice(6, 12), slice(39, 50))],
        Structure.SUPERIOR_ARTICULAR_LEFT: [(slice(3, 6), slice(0, 6), slice(35, 39))],
        Structure.SUPERIOR_ARTICULAR_RIGHT: [(slice(26, 29), slice(0, 6), slice(35, 39))],
        Structure.INFERIOR_ARTICULAR_LEFT: [(slice(6, 9), slice(12, 20), slice(35, 39))],
        Structure.INFERIOR_ARTICULAR_RIGHT: [(slice(23, 26), slice(12, 20), slice(35, 39))],
    }
    for label, places in boxes.items():
        for r, i, p in places:
            box = (r, slice(i.start + first, i.stop + first), p)
            parts[box] = label
            vertebrae[box] = level + 1


class TruthPredictor:
    """Stands in for the instance network: reads the answer from the true instances."""

    def __init__(self, truth: LabelMap) -> None:
        self._truth = truth
        self.centres: list[tuple[float, float, float]] = []

    def predict(
        self,
        labels: LabelMap,
        centres_zyx: Sequence[tuple[float, float, float]],
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Triple]:
        """Masks of the vertebrae above, at and below each centre."""
        self.centres = list(centres_zyx)
        truth = resample_labels_to_grid(self._truth, labels.grid).labels_zyx
        triples = []
        for done, centre in enumerate(centres_zyx):
            here = int(truth[tuple(int(index) for index in centre)])
            if progress is not None:
                progress(done + 1, len(centres_zyx))
            above, this, below = (_sparse(truth == here + n) if here else None for n in (-1, 0, 1))
            triples.append((above if here > 1 else None, this, below))
        return triples


def _sparse(mask: NDArray[np.bool_]) -> SparseMask | None:
    box = bounding_box(mask, 1)
    return None if box is None else SparseMask(box, mask[box])

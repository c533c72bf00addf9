"""A spine of boxes: volumes, overlaps and distances can be worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.research.evaluation.measures import Masks
from operators.imaging.nifti import write_label_map
from operators.imaging.volume import LabelMap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SPACING_RIP_MM = (3.0, 1.0, 1.0)
BODY_ROWS, DISC_ROWS, PITCH = 12, 5, 22
FIRST_ROW = 6


def affine_rip(spacing: tuple[float, float, float] = SPACING_RIP_MM) -> np.ndarray:
    """Upright [R, I, P] grid: index (k, j, i) to LPS mm."""
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = (
        -spacing[0],
        -spacing[1],
        spacing[2],
        1.0,
    )
    affine[:3, 3] = (12.0, -40.0, 55.0)
    return affine


def spine_boxes(
    levels: Sequence[int] = (18, 19, 20, 21), *, down: int = 0, first_number: int | None = None
) -> Masks:
    """Vertebrae with body (12 rows), spinous process, endplate, disc (5 rows), and a canal.

    ``down`` moves everything but the canal by rows; ``first_number`` numbers from the top instead
    of by level.
    """
    shape = (10, FIRST_ROW + PITCH * len(levels) + 8, 60)
    semantic, instances = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    semantic[3:7, :, 32:38] = 61
    for n, level in enumerate(levels):
        number = level if first_number is None else first_number + n
        top = FIRST_ROW + n * PITCH + down
        for rows, columns, part, instance in (
            (slice(top, top + BODY_ROWS), slice(10, 30), 49, number),
            (slice(top, top + 8), slice(40, 50), 42, number),
            (slice(top + BODY_ROWS, top + BODY_ROWS + 2), slice(10, 30), 62, 200 + number),
            (slice(top + 14, top + 14 + DISC_ROWS), slice(10, 30), 100, 100 + number),
        ):
            semantic[2:8, rows, columns] = part
            instances[2:8, rows, columns] = instance
    affine = affine_rip()
    return Masks(semantic=LabelMap(semantic, affine), instances=LabelMap(instances, affine))


def without(masks: Masks, level: int) -> Masks:
    """Take one vertebra out of the instance map; its voxels stay in the semantic map."""
    labels = masks.instances.labels_zyx
    return Masks(
        semantic=masks.semantic,
        instances=masks.instances.with_labels(np.where(labels == level, 0, labels)),
    )


def write_derivatives(folder: Path, cases: dict[str, Masks]) -> Path:
    """Write cases under SPINEPS's names; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, masks in cases.items():
        if masks.semantic is not None:
            write_label_map(masks.semantic, folder / f"{name}_seg-spine_msk.nii.gz")
        if masks.instances is not None:
            write_label_map(masks.instances, folder / f"{name}_seg-vert_msk.nii.gz")
    return folder

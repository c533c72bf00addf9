"""What an annotator's numbers say, and whether a mask belongs to its image.

See `app.research.training.datasets` for where they come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app.research.training.supervision import OUTSIDE, SOME_CANAL, SOME_VERTEBRA, UNKNOWN
from operators.anatomy.labels import VERTEBRA_INSTANCES, VERTEBRA_PARTS, Structure
from operators.errors import UnreadableInputError
from operators.imaging.volume import LabelMap, voxel_volume_mm3

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KNOWN: Final = (0, 26, *range(41, 54), 60, 61, 62, 100)
_SPIDER_PARTIAL: Final = 100
_SPIDER_CANAL: Final = 100
_SPIDER_DISC: Final = 200
LEAST_INSIDE: Final = 0.8
"""Share of a mask's volume that must lie within its image, and of the bodies that must have a
number; resampling alone moves a few percent."""


def known_labels(labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Replace numbers that the SPINEPS scheme doesn't have by "unknown"."""
    return np.where(np.isin(labels, _KNOWN), labels, UNKNOWN).astype(np.uint8)


def require_structures(labels: NDArray[np.integer]) -> None:
    """Refuse vertebra numbers where structures are expected (``other_kind``): swapped files.

    Parameters
    ----------
    labels : ndarray of int
        A seg-spine mask as it was written.

    Raises
    ------
    UnreadableInputError
        If it holds numbers of vertebrae, their discs or endplates, and no part of a vertebra.
    """
    present = set(np.unique(labels).tolist())
    numbered = present & VERTEBRA_INSTANCES or max(present) > Structure.DISC
    if numbered and not present & set(VERTEBRA_PARTS):
        raise UnreadableInputError(
            "the seg-spine mask holds vertebra numbers; are seg-spine and seg-vert swapped?",
            reasons=("other_kind",),
        )


def spider_labels(mask: NDArray[np.integer]) -> NDArray[np.uint8]:
    """SPIDER's numbers as labels and sets of labels.

    Parameters
    ----------
    mask : (Z, Y, X) ndarray of int
        1-25 vertebra, 101-125 part of a vertebra, 100 canal, 201-225 disc, 0 none of these.

    Returns
    -------
    (Z, Y, X) uint8 ndarray
        Disc (100) or one of the sets; numbers that SPIDER doesn't have are unknown.
    """
    labels = np.full(mask.shape, UNKNOWN, dtype=np.uint8)
    labels[mask == 0] = OUTSIDE
    for first in (0, _SPIDER_PARTIAL):
        labels[(mask > first) & (mask <= first + 25)] = SOME_VERTEBRA
    labels[mask == _SPIDER_CANAL] = SOME_CANAL
    labels[(mask > _SPIDER_DISC) & (mask <= _SPIDER_DISC + 25)] = Structure.DISC
    return labels


def count_from_top(numbers: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Count vertebrae from the top, so that neighbours differ by one.

    Parameters
    ----------
    numbers : (R, I, P) ndarray of int
        Vertebra ids (1-25, 28); anything else counts as none.

    Returns
    -------
    (R, I, P) uint8 ndarray
        Order by height instead of the id.
    """
    present = [int(n) for n in np.unique(numbers) if int(n) in VERTEBRA_INSTANCES]
    height = {n: np.argwhere(numbers == n)[:, 1].mean() for n in present}
    table = np.zeros(int(numbers.max(initial=0)) + 1, dtype=np.uint8)
    for place, n in enumerate(sorted(present, key=height.__getitem__), start=1):
        table[n] = place
    counted: NDArray[np.uint8] = table[numbers]
    return counted


def is_annotated(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell which voxels say something beside "background" and "unknown"."""
    return np.isin(labels, (0, OUTSIDE, UNKNOWN), invert=True)


def require_inside(labels: LabelMap, moved: LabelMap) -> None:
    """Refuse a mask that lies elsewhere than its image, or says nothing.

    Parameters
    ----------
    labels : LabelMap
        As annotated, on its own grid.
    moved : LabelMap
        The same on the image's grid.

    Raises
    ------
    UnreadableInputError
        ``no_known_labels``; ``mask_elsewhere`` where less than `LEAST_INSIDE` of its volume is
        left.
    """
    drawn, kept = (
        np.count_nonzero(is_annotated(each.labels_zyx)) * voxel_volume_mm3(each.affine_lps)
        for each in (labels, moved)
    )
    if not drawn:
        raise UnreadableInputError(
            "the mask holds no label of the scheme", reasons=("no_known_labels",)
        )
    if kept < LEAST_INSIDE * drawn:
        raise UnreadableInputError(
            f"only {kept / drawn:.0%} of the mask lies within the image",
            reasons=("mask_elsewhere",),
        )


def require_numbered(labels: NDArray[np.integer], vertebrae: NDArray[np.integer]) -> None:
    """Refuse vertebra numbers that do not cover the bodies (``numbers_elsewhere``).

    Parameters
    ----------
    labels, vertebrae : (R, I, P) ndarray of int
        Semantic labels and vertebra numbers on one grid; 0 = none.

    Raises
    ------
    UnreadableInputError
        If less than `LEAST_INSIDE` of the voxels of bodies has a number.
    """
    body = labels == Structure.CORPUS
    count = int(np.count_nonzero(body))
    share = int(np.count_nonzero(vertebrae[body])) / max(1, count)
    if count and share < LEAST_INSIDE:
        raise UnreadableInputError(
            f"only {share:.0%} of the vertebral bodies' voxels have a number in seg-vert",
            reasons=("numbers_elsewhere",),
        )

"""Windows of the label map around vertebral bodies, and what becomes of the network's answer.

NumPy only; the network itself is elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.errors import SegmentationError
from operators.imaging.cropping import bounding_box
from operators.imaging.volume import SparseMask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Centre = tuple[float, float, float]
Prediction = tuple[SparseMask | None, SparseMask | None, SparseMask | None]
"""Vertebra above, the centre's own, vertebra below; None where the network saw none."""

STEP_INFERIOR_VOXELS = 5
"""How far a centre that lies on background moves at a time (SPINEPS 2.1.3)."""

_INFERIOR = 1
_CLASSES = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Cutout:
    """One window of fixed size; what reaches beyond the label map is background.

    Attributes
    ----------
    classes_zyx : ndarray of uint8
        Input classes of the network, 0 = background.
    start_zyx : tuple of int
        Index in the label map of the window's first voxel; may be negative.
    map_shape_zyx : tuple of int
        Shape of the label map.
    """

    classes_zyx: NDArray[np.uint8]
    start_zyx: tuple[int, int, int]
    map_shape_zyx: tuple[int, int, int]


def input_classes(
    labels_zyx: NDArray[np.unsignedinteger], mapping: Mapping[int, int]
) -> NDArray[np.uint8]:
    """Translate semantic labels into the classes that the instance network was trained on.

    Parameters
    ----------
    labels_zyx : (Z, Y, X) ndarray
        Semantic labels.
    mapping : mapping of int to int
        Label to class (0-255); labels that are not named become background.

    Returns
    -------
    (Z, Y, X) ndarray of uint8
        Classes.
    """
    table = np.zeros(int(labels_zyx.max(initial=0)) + 1, dtype=np.uint8)
    for label, network_class in mapping.items():
        if 0 < label < len(table):
            table[label] = network_class
    classes: NDArray[np.uint8] = table[labels_zyx]
    return classes


def move_onto_structure(classes_zyx: NDArray[np.uint8], centre_zyx: Centre) -> Centre:
    """Move a centre in inferior direction until it lies on a structure.

    Parameters
    ----------
    classes_zyx : ndarray of uint8, PIR, so index 1 grows inferiorly
        Input classes.
    centre_zyx : tuple of 3 floats
        Index of the centre.

    Returns
    -------
    tuple of 3 floats
        The first of centre, centre + 5, centre + 10 ... on a structure; the centre itself where
        the map ends before one is met.

    Raises
    ------
    SegmentationError
        If the centre lies outside the map (``centre_outside_map``).
    """
    k, j, i = (int(c) for c in centre_zyx)
    if not all(0 <= c < n for c, n in zip((k, j, i), classes_zyx.shape, strict=True)):
        raise SegmentationError(
            "a vertebral body's centre lies outside the label map", reasons=("centre_outside_map",)
        )
    met = np.flatnonzero(classes_zyx[k, j::STEP_INFERIOR_VOXELS, i])
    if not len(met):
        return centre_zyx
    return centre_zyx[0], centre_zyx[_INFERIOR] + STEP_INFERIOR_VOXELS * int(met[0]), centre_zyx[2]


def cut(
    classes_zyx: NDArray[np.uint8], centre_zyx: Centre, size_zyx: tuple[int, int, int]
) -> Cutout:
    """Take the window around a centre, padded with background beyond the map.

    Parameters
    ----------
    classes_zyx : ndarray of uint8
        Input classes of the whole map.
    centre_zyx : tuple of 3 floats
        Truncated to whole voxels; the window reaches from ``c - size // 2`` to
        ``c + size // 2``, the end excluded.
    size_zyx : tuple of 3 ints
        Size of the window, even.

    Returns
    -------
    Cutout
        A window of exactly that size.
    """
    start = [int(c) - n // 2 for c, n in zip(centre_zyx, size_zyx, strict=True)]
    window = np.zeros(size_zyx, dtype=np.uint8)
    inside = _inside(start, size_zyx, classes_zyx.shape)
    window[_shift(inside, start)] = classes_zyx[inside]
    a, b, c = start
    k, j, i = classes_zyx.shape
    return Cutout(window, (a, b, c), (k, j, i))


def place(answer_zyx: NDArray[np.uint8], cutout: Cutout) -> Prediction:
    """Put the network's classes 1, 2, 3 back into the label map.

    Parameters
    ----------
    answer_zyx : ndarray of uint8, shape of the window
        Output classes: 1 vertebra above, 2 the centre's own, 3 below.
    cutout : Cutout
        The window that the network saw.

    Returns
    -------
    Prediction
        A mask per class, in the map's coordinates; padding is dropped; None where empty.
    """
    inside = _inside(cutout.start_zyx, answer_zyx.shape, cutout.map_shape_zyx)
    seen = answer_zyx[_shift(inside, cutout.start_zyx)]
    above, own, below = (_sparse(seen == c, inside) for c in _CLASSES)
    return above, own, below


def _sparse(mask_zyx: NDArray[np.bool_], inside: tuple[slice, slice, slice]) -> SparseMask | None:
    box = bounding_box(mask_zyx)
    if box is None:
        return None
    z, y, x = (
        slice(part.start + whole.start, part.stop + whole.start)
        for part, whole in zip(box, inside, strict=True)
    )
    return SparseMask((z, y, x), mask_zyx[box].copy())


def _inside(
    start: tuple[int, ...] | list[int], size: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[slice, slice, slice]:
    """Part of the map that the window covers."""
    z, y, x = (
        slice(max(a, 0), max(min(a + n, end), 0))
        for a, n, end in zip(start, size, shape, strict=True)
    )
    return z, y, x


def _shift(
    inside: tuple[slice, slice, slice], start: tuple[int, ...] | list[int]
) -> tuple[slice, slice, slice]:
    """Name the same voxels in the window's own coordinates."""
    z, y, x = (slice(s.start - a, s.stop - a) for s, a in zip(inside, start, strict=True))
    return z, y, x

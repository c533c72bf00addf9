"""Random training tiles of a synthetic case, normalised as inference normalises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy import ndimage

from app.synthetic.noise import smooth_noise
from app.training.cases import SLICE_MM, Case
from operators.anatomy.labels import LEFT_RIGHT_PAIRS, MODEL_STRUCTURES

Scalar = TypeVar("Scalar", bound=np.generic)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating]

SPACING_RIP_MM = (SLICE_MM, 1.5, 1.5)
"""Grid of the compact semantic model, along (R, I, P)."""

_ATTEMPTS = 3
_SPINE_VOXELS = 400
_EMPTY_SHARE = 0.12


def _class_table() -> NDArray[np.uint8]:
    table = np.zeros(256, dtype=np.uint8)
    for index, structure in enumerate(MODEL_STRUCTURES, start=1):
        table[structure] = index
    return table


def _mirror_table() -> NDArray[np.uint8]:
    table = np.arange(256, dtype=np.uint8)
    for left, right in LEFT_RIGHT_PAIRS:
        table[left], table[right] = right, left
    return table


CLASS_OF_LABEL = _class_table()
"""Label to network class, 0 for everything the network doesn't know."""

MIRRORED_LABEL = _mirror_table()
"""Label to the label of its mirror image."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One training sample: ``image`` (R, I, P) float32 and ``classes`` (R, I, P) uint8."""

    image: Array
    classes: NDArray[np.uint8]


def _sheet(rng: np.random.Generator, in_plane_mm: float) -> NDArray[np.float64]:
    """In-plane matrix from tile voxels to case voxels: zoom, stretch, rotation."""
    step = SPACING_RIP_MM[1] / in_plane_mm * np.exp(np.clip(rng.normal(0, 0.11), -0.3, 0.3))
    stretch = np.exp(rng.normal(0, 0.05))
    angle = rng.normal(0, 0.09)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    result: NDArray[np.float64] = turn @ np.diag([step, step * stretch])
    return result


def _kept_field(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Part of the case that a smaller field of view would have seen."""
    kept = []
    for axis, n in enumerate(shape):
        most = 3 if axis == 0 else int(0.34 * n)
        low, high = rng.integers(0, most + 1, 2)
        kept.append(slice(int(low), n - int(high)))
    return tuple(kept)


def _only(field: tuple[slice, ...], array: NDArray[Scalar], fill: float) -> NDArray[Scalar]:
    """Replace everything outside of the field."""
    result = np.full_like(array, fill)
    result[field] = array[field]
    return result


def _texture(rng: np.random.Generator, image: Array) -> Array:
    """Contrast, sharpness and noise of another scanner; brightness about 0-1."""
    shape = (image.shape[0], image.shape[1], image.shape[2])
    if rng.random() < 0.25:
        image = image * np.exp(rng.uniform(0, 0.4) * smooth_noise(rng, shape, (8, 48, 40)))
    if rng.random() < 0.2:
        image = ndimage.gaussian_filter(image, (0, *(rng.uniform(0.3, 0.9),) * 2))
    if rng.random() < 0.15:
        image = ndimage.gaussian_filter1d(image, rng.uniform(0.3, 0.6), axis=0)
    if rng.random() < 0.35:
        soft = ndimage.gaussian_filter(image, (0, 1, 1))
        image = np.maximum(image + rng.uniform(0, 0.9) * (image - soft), 0)
    if rng.random() < 0.3:
        image = np.minimum(image, np.quantile(image[::2, ::4, ::4], rng.uniform(0.95, 0.999)))
    if rng.random() < 0.6:
        top = float(image.max()) + 1e-6
        image = top * (np.maximum(image, 0) / top) ** np.exp(rng.normal(0, 0.3))
    if rng.random() < 0.3:
        sd = rng.uniform(0, 0.05) * float(np.quantile(image[::2, ::4, ::4], 0.99))
        image = image + sd * rng.standard_normal(shape, dtype=np.float32)
    return image.astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Window:
    """Where a tile lies in its case (tile voxels to case voxels), and the classes there."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]
    classes: NDArray[np.uint8]


def _draw_window(
    rng: np.random.Generator,
    labels: NDArray[np.uint8],
    sheet: NDArray[np.float64],
    shape: tuple[int, int, int],
) -> _Window:
    """Draw a place, up to three times where little of the spine is in it."""
    spare = labels.shape[0] - shape[0]
    extent, half = np.array(labels.shape[1:]), np.array(shape[1:]) / 2
    room = np.maximum(extent / 2 - np.abs(sheet) @ half, 0) + 8
    matrix = np.eye(3)
    matrix[1:, 1:] = sheet

    def draw() -> _Window:
        start = rng.integers(min(0, spare), max(0, spare) + 1)
        centre = extent / 2 + rng.uniform(-1, 1, 2) * room
        offset = np.array([start, *(centre - sheet @ half)])
        picked = ndimage.affine_transform(labels, matrix, offset, shape, order=0, mode="constant")
        return _Window(matrix, offset, CLASS_OF_LABEL[picked])

    window, tries = draw(), 1
    while tries < _ATTEMPTS and np.count_nonzero(window.classes) <= _SPINE_VOXELS:
        if rng.random() < _EMPTY_SHARE:
            break
        window, tries = draw(), tries + 1
    return window


def draw_tile(rng: np.random.Generator, case: Case, shape: tuple[int, int, int]) -> Tile:
    """Draw one tile.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    case : Case
        Where from.
    shape : tuple of 3 ints
        Voxels along (R, I, P) on `SPACING_RIP_MM`.

    Returns
    -------
    Tile
        z-scored image and network classes; outside of the field the image is 0.
    """
    image = case.images[rng.integers(len(case.images))].astype(np.float32)
    labels = case.labels
    field = tuple(slice(0, n) for n in image.shape)
    if rng.random() < 0.35:  # a smaller field of view
        field = _kept_field(rng, image.shape)
        labels = _only(field, labels, 0)
    window = _draw_window(rng, labels, _sheet(rng, case.in_plane_mm), shape)
    classes = window.classes
    mean, sd = float(image[field].mean()), float(image[field].std()) + 1e-6
    fill = 0.0 if rng.random() < 0.4 else mean  # padded before or after z-scoring
    image = _only(field, image, fill)
    tile = ndimage.affine_transform(
        image, window.matrix, window.offset, shape, order=1, mode="constant", cval=fill
    )
    tile = (_texture(rng, tile) - mean) / sd
    if rng.random() < 0.3:
        tile = tile * rng.uniform(0.8, 1.25) + rng.normal(0, 0.2)
    if rng.random() < 0.5:
        tile, classes = tile[::-1], _MIRRORED_CLASS[classes[::-1]]
    return Tile(np.ascontiguousarray(tile, dtype=np.float32), np.ascontiguousarray(classes))


def _mirrored_class() -> NDArray[np.uint8]:
    table = np.zeros(len(MODEL_STRUCTURES) + 1, dtype=np.uint8)
    for index, structure in enumerate(MODEL_STRUCTURES, start=1):
        table[index] = CLASS_OF_LABEL[MIRRORED_LABEL[structure]]
    return table


_MIRRORED_CLASS = _mirrored_class()

"""Random training tiles of a synthetic case, normalised as inference normalises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy import ndimage

from app.research.synthetic.noise import smooth_noise
from app.research.training.in_plane import InPlane
from app.research.training.supervision import CODE_OF_LABEL, MIRRORED_CODE

Scalar = TypeVar("Scalar", bound=np.generic)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.research.training.cases import Case

    Array = NDArray[np.floating]

_ATTEMPTS = 3
_SPINE_VOXELS = 400
_EMPTY_SHARE = 0.12


@dataclass(frozen=True, slots=True)
class Tile:
    """One training sample.

    Attributes
    ----------
    image : (R, I, P) float32 ndarray
        z-scored.
    codes : (R, I, P) uint8 ndarray
        Targets (`app.research.training.supervision`).
    shift_ip : tuple of 2 floats
        How far from the image's voxels the targets lie along (I, P), in voxels.
    """

    image: Array
    codes: NDArray[np.uint8]
    shift_ip: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Size and voxel size of a tile along (R, I, P).

    Attributes
    ----------
    shape : tuple of 3 int
        Voxels.
    spacing_mm : tuple of 3 floats
        Voxel size.
    mirror : bool
        Also mirrored side to side.
    between : bool
        Targets lie up to half a voxel away from the image's voxels, elsewhere in every tile. A
        network whose logits are interpolated to a finer grid is decided in such places, so it has
        to be judged there: borders of thin structures run between the voxels.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    mirror: bool = True
    between: bool = False


def _matrix(
    rng: np.random.Generator,
    tile_mm: tuple[float, float, float],
    case_mm: tuple[float, float, float],
) -> NDArray[np.float64]:
    """Matrix from tile voxels to case voxels: in-plane zoom, stretch and rotation."""
    zoom = np.exp(np.clip(rng.normal(0, 0.11), -0.3, 0.3))
    stretch = np.exp(rng.normal(0, 0.05))
    angle = rng.normal(0, 0.09)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.diag([tile_mm[0] / case_mm[0], 0.0, 0.0])
    scale = np.diag([tile_mm[1] * zoom, tile_mm[2] * zoom * stretch])
    matrix[1:, 1:] = turn @ scale / np.array(case_mm[1:])[:, None]
    return matrix


def _kept_field(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Part of the case that a smaller field of view would have seen."""
    kept = []
    for axis, n in enumerate(shape):
        most = min(3, (n - 1) // 2) if axis == 0 else int(0.34 * n)
        low, high = rng.integers(0, most + 1, 2)
        kept.append(slice(int(low), n - int(high)))
    return tuple(kept)


def _small_field(
    rng: np.random.Generator, labels: NDArray[np.uint8], in_plane_mm: float
) -> tuple[slice, ...]:
    """Keep a few vertebrae around a random place of the spine, as crops in archives do."""
    spine = np.flatnonzero(labels)
    at = np.unravel_index(int(rng.choice(spine)), labels.shape) if len(spine) else labels.shape
    kept = [slice(0, labels.shape[0])]
    for axis in (1, 2):
        size, n = int(rng.uniform(45, 110) / in_plane_mm), labels.shape[axis]
        low = int(np.clip(at[axis] - rng.uniform(0.3, 0.7) * size, 0, max(0, n - size)))
        kept.append(slice(low, low + size))
    return tuple(kept)


def _brightness(rng: np.random.Generator, seen: Array) -> tuple[float, float]:
    """Mean and standard deviation to z-score with, as if more air belonged to the image."""
    mean, variance = float(seen.mean()), float(seen.var())
    air = float(rng.uniform(0, 0.6)) if rng.random() < 0.5 else 0.0
    dark = float(np.quantile(seen[::2, ::4, ::4], 0.01))
    lower = (1 - air) * mean + air * dark
    square = (1 - air) * (variance + mean**2) + air * dark**2
    return lower, float(np.sqrt(max(square - lower**2, 1e-12))) + 1e-6


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
    """Where a tile lies in its case, the codes there, and how far they lie from the image."""

    place: InPlane
    codes: NDArray[np.uint8]
    shift_ip: tuple[float, float]


def _draw_window(
    rng: np.random.Generator,
    labels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    grid: TileGrid,
) -> _Window:
    """Draw a place, up to three times where little of the spine is in it."""
    shape = grid.shape
    shift = rng.uniform(-0.5, 0.5, 2) if grid.between else np.zeros(2)
    sheet = matrix[1:, 1:]
    spare = labels.shape[0] - round(shape[0] * matrix[0, 0])
    extent, half = np.array(labels.shape[1:]), np.array(shape[1:]) / 2
    room = np.maximum(extent / 2 - np.abs(sheet) @ half, 0) + 8

    def draw() -> _Window:
        start = rng.integers(min(0, spare), max(0, spare) + 1)
        centre = extent / 2 + rng.uniform(-1, 1, 2) * room
        corner = centre - sheet @ half
        place = InPlane(matrix, np.array([start, *corner]), shape)
        targets = InPlane(matrix, np.array([start, *(corner + sheet @ shift)]), shape)
        codes = CODE_OF_LABEL[targets.nearest(labels)[0]]
        return _Window(place, codes, (float(shift[0]), float(shift[1])))

    window, tries = draw(), 1
    while tries < _ATTEMPTS and np.count_nonzero(window.codes) <= _SPINE_VOXELS:
        if rng.random() < _EMPTY_SHARE:
            break
        window, tries = draw(), tries + 1
    return window


def draw_tile(rng: np.random.Generator, case: Case, grid: TileGrid) -> Tile:
    """Draw one tile.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    case : Case
        Where from.
    grid : TileGrid
        Size and voxel size of the tile.

    Returns
    -------
    Tile
        z-scored image and target codes; outside of the field the image is 0.
    """
    image = case.images[rng.integers(len(case.images))].astype(np.float32)
    labels = case.labels
    field = tuple(slice(0, n) for n in image.shape)
    kind = rng.random()
    if kind < 0.45:  # a smaller field of view
        small = kind < 0.12
        field = (
            _small_field(rng, labels, case.spacing_rip_mm[1])
            if small
            else _kept_field(rng, image.shape)
        )
        labels = _only(field, labels, 0)
    matrix = _matrix(rng, grid.spacing_mm, case.spacing_rip_mm)
    window = _draw_window(rng, labels, matrix, grid)
    codes = window.codes
    mean, sd = _brightness(rng, image[field])
    fill = 0.0 if rng.random() < 0.4 else mean  # padded before or after z-scoring
    image = _only(field, image, fill)
    tile = (_texture(rng, window.place.linear(image, fill)) - mean) / sd
    if rng.random() < 0.3:
        tile = tile * rng.uniform(0.8, 1.25) + rng.normal(0, 0.2)
    if grid.mirror and rng.random() < 0.5:
        tile, codes = tile[::-1], MIRRORED_CODE[codes[::-1]]
    image = np.ascontiguousarray(tile, dtype=np.float32)
    return Tile(image, np.ascontiguousarray(codes), window.shift_ip)

"""A growing folder of synthetic cases, brought to the model's slice distance as inference does.

Each case is one ``.npz`` file: ``images`` (N, R, I, P) float16, ``labels`` and ``vertebrae``
(R, I, P) uint8, ``in_plane_mm``. Half of the cases are painted with thicker slices and interpolated
with a cubic spline, because that is how most real series reach the network.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from app.synthetic.phantom import PhantomSettings, generate

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SLICE_MM = 3.3
"""Slice distance of the compact models."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case in the orientation of the models, arrays [R, I, P].

    Attributes
    ----------
    images : (N, R, I, P) float16 ndarray
        Renderings, CSF about 1.
    labels : (R, I, P) uint8 ndarray
        Semantic labels.
    vertebrae : (R, I, P) uint8 ndarray
        Vertebra number of the voxels of 41-49, else 0.
    in_plane_mm : float
        Voxel size along I and P; slices are `SLICE_MM` apart.
    """

    images: NDArray[np.float16]
    labels: NDArray[np.uint8]
    vertebrae: NDArray[np.uint8]
    in_plane_mm: float


def _centre_out(fine_count: int, fine_mm: float, count: int) -> NDArray[np.int64]:
    """Nearest fine slice of ``count`` slices `SLICE_MM` apart around the same centre."""
    position = (np.arange(count) - (count - 1) / 2) * SLICE_MM / fine_mm + (fine_count - 1) / 2
    nearest: NDArray[np.int64] = np.clip(np.rint(position), 0, fine_count - 1).astype(np.int64)
    return nearest


def make_case(seed: int) -> Case:
    """Generate one training case.

    Parameters
    ----------
    seed : int
        Decides everything random.

    Returns
    -------
    Case
        Slices `SLICE_MM` apart.
    """
    rng = np.random.default_rng([seed, 1])
    thick = float(rng.uniform(3.3, 4.6)) if rng.random() < 0.6 else SLICE_MM
    slices = int(rng.integers(14, 18)) if thick == SLICE_MM else int(rng.integers(11, 16))
    in_plane = float(rng.uniform(1.1, 1.3))
    made = generate(seed, PhantomSettings(slices=slices, spacing=(thick, in_plane, in_plane)))
    count = round(slices * thick / SLICE_MM)
    fine = made.fine_semantic
    pick = _centre_out(fine.labels_zyx.shape[0], fine.spacing_zyx_mm[0], count)
    at = (np.arange(count) - (count - 1) / 2) * SLICE_MM / thick + (slices - 1) / 2
    images = []
    for volume in made.images:
        image = volume.voxels_zyx.astype(np.float32)
        if thick != SLICE_MM:
            image = _interpolate_slices(image, at)
        images.append(np.maximum(image, 0))
    labels = fine.labels_zyx[pick].astype(np.uint8)
    numbers = made.fine_instances.labels_zyx[pick].astype(np.uint8)
    vertebrae = np.where((labels >= 41) & (labels <= 49), numbers, 0).astype(np.uint8)
    return Case(np.stack(images).astype(np.float16), labels, vertebrae, in_plane)


def _interpolate_slices(
    image: NDArray[np.float32], at: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Cubic spline along the slice axis, edges continued."""
    coefficients = ndimage.spline_filter1d(image, 3, axis=0, mode="nearest")
    # The spline is linear in its coefficients: weights of the basis along one axis suffice.
    basis = _cubic_basis(at, image.shape[0])
    result: NDArray[np.float32] = np.tensordot(basis, coefficients, axes=(1, 0)).astype(np.float32)
    return result


def _cubic_basis(at: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    basis = np.zeros((len(at), count))
    for shift in range(-1, 3):
        index = np.floor(at).astype(int) + shift
        x = np.abs(at - index)
        value = np.where(x < 1, 2 / 3 - x**2 + x**3 / 2, np.clip(2 - x, 0, None) ** 3 / 6)
        np.add.at(basis, (np.arange(len(at)), np.clip(index, 0, count - 1)), value)
    return basis


def store(case: Case, path: Path) -> None:
    """Write a case; the file appears complete or not at all."""
    partial = path.with_suffix(".part.npz")
    np.savez(
        partial,
        images=case.images,
        labels=case.labels,
        vertebrae=case.vertebrae,
        in_plane_mm=np.float32(case.in_plane_mm),
    )
    partial.replace(path)


def load(path: Path) -> Case:
    """Read a case written by `store`."""
    with np.load(path) as data:
        return Case(data["images"], data["labels"], data["vertebrae"], float(data["in_plane_mm"]))


def fill(folder: Path, seeds: range, pause_seconds: float = 0.0) -> int:
    """Generate the missing cases of a folder.

    Parameters
    ----------
    folder : Path
        Receives ``<seed>.npz``.
    seeds : range
        Seeds of the cases.
    pause_seconds : float
        Rest after each case, to leave the processor to a training.

    Returns
    -------
    int
        Number of cases made now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = 0
    for seed in seeds:
        path = folder / f"{seed:07d}.npz"
        if not path.exists():
            store(make_case(seed), path)
            made += 1
            time.sleep(pause_seconds)
    return made

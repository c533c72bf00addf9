"""A growing folder of synthetic cases, brought to the model's slice distance as inference does.

Each case is one ``.npz`` file: ``images`` (N, R, I, P) float16, ``labels`` and ``vertebrae``
(R, I, P) uint8, ``spacing_rip_mm``, and for a synthetic one the ``generator``'s version. More than
half of the synthetic cases are painted with thicker slices and interpolated with a cubic spline,
because that is how most real series reach the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from app.research.synthetic.acquisition import Scanner
from app.research.synthetic.phantom import GENERATOR_VERSION, PhantomSettings, generate

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

SLICE_MM = 3.3
"""Slice distance of the compact models."""

COMPACT_GRID_MM = (SLICE_MM, 1.25, 1.25)
"""Grid of the compact semantic model, along (R, I, P)."""

FIELD_MM = (250.0, 173.0)
"""Field of view of a synthetic case along (I, P)."""


REGION_ODDS = (0.38, 0.16, 0.26, 0.20)
"""How often a case shows the cervical, thoracic, lumbar and lumbosacral spine. Cervical structures
are the smallest ones, and learned last (MODEL_CARD.md of spine_t2w_compact)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case in the orientation of the models, arrays [R, I, P].

    Attributes
    ----------
    images : (N, R, I, P) float16 ndarray
        Renderings, CSF about 1.
    labels : (R, I, P) uint8 ndarray
        Semantic labels, or what is known of them (`app.research.training.supervision`).
    vertebrae : (R, I, P) uint8 ndarray
        Vertebra number of the voxels of 41-49, counted from the top without gaps, else 0.
    spacing_rip_mm : tuple of 3 floats
        Voxel size along (R, I, P).
    """

    images: NDArray[np.float16]
    labels: NDArray[np.uint8]
    vertebrae: NDArray[np.uint8]
    spacing_rip_mm: tuple[float, float, float]


def _centre_out(fine_count: int, fine_mm: float, count: int, slice_mm: float) -> NDArray[np.int64]:
    """Nearest fine slice of ``count`` slices ``slice_mm`` apart around the same centre."""
    position = (np.arange(count) - (count - 1) / 2) * slice_mm / fine_mm + (fine_count - 1) / 2
    nearest: NDArray[np.int64] = np.clip(np.rint(position), 0, fine_count - 1).astype(np.int64)
    return nearest


def make_case(
    seed: int,
    grid_rip_mm: tuple[float, float, float] = COMPACT_GRID_MM,
    *,
    device: torch.device | str = "cpu",
) -> Case:
    """Generate one training case.

    Parameters
    ----------
    seed : int
        Decides everything random.
    grid_rip_mm : tuple of 3 floats
        Grid of the network along (R, I, P).
    device : torch device
        Where the phantom is painted.

    Returns
    -------
    Case
        Slices ``grid_rip_mm[0]`` apart, in-plane voxels up to a quarter smaller than the grid's.
    """
    rng = np.random.default_rng([seed, 1])
    slice_mm, extent = grid_rip_mm[0], FIELD_MM
    thick = float(rng.uniform(3.3, 4.6)) if rng.random() < 0.6 else max(slice_mm, SLICE_MM)
    slices = int(rng.integers(13, 18)) if thick == SLICE_MM else int(rng.integers(9, 16))
    in_plane = float(rng.uniform(0.74, 0.86)) * grid_rip_mm[1]
    shape = (round(extent[0] / in_plane), round(extent[1] / in_plane))
    wanted = PhantomSettings(
        slices=slices,
        in_plane=shape,
        spacing=(thick, in_plane, in_plane),
        region_odds=REGION_ODDS,
        scanner=Scanner(sub_slices=2 * round(0.5 * thick / slice_mm + 0.6) + 1),
    )
    made = generate(seed, wanted, device=device)
    count = round(slices * thick / slice_mm)
    fine = made.fine_semantic
    pick = _centre_out(fine.labels_zyx.shape[0], fine.spacing_zyx_mm[0], count, slice_mm)
    at = (np.arange(count) - (count - 1) / 2) * slice_mm / thick + (slices - 1) / 2
    images = []
    for volume in made.images:
        image = volume.voxels_zyx.astype(np.float32)
        if thick != slice_mm:
            image = _interpolate_slices(image, at)
        images.append(np.maximum(image, 0))
    labels = fine.labels_zyx[pick].astype(np.uint8)
    numbers = _from_the_top(made.fine_instances.labels_zyx[pick]).astype(np.uint8)
    vertebrae = np.where((labels >= 41) & (labels <= 49), numbers, 0).astype(np.uint8)
    spacing = (slice_mm, in_plane, in_plane)
    return Case(np.stack(images).astype(np.float16), labels, vertebrae, spacing)


def _from_the_top(instances: NDArray[np.integer]) -> NDArray[np.integer]:
    """Give T13 (28) its place after T12 (19), so that neighbours differ by one."""
    if not (instances == 28).any():
        return instances
    moved = np.where((instances > 19) & (instances < 26), instances + 1, instances)
    return np.where(instances == 28, 20, moved)


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


def store(case: Case, path: Path, *, generator: int = 0) -> None:
    """Write a case; the file appears complete or not at all, the folder is made if missing.

    Parameters
    ----------
    case : Case
        What to write.
    path : Path
        Of the file, which is replaced.
    generator : int
        Version that made it; 0 = it is no synthetic one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part.npz")
    np.savez(
        partial,
        images=case.images,
        labels=case.labels,
        vertebrae=case.vertebrae,
        spacing_rip_mm=np.array(case.spacing_rip_mm),
        generator=generator,
    )
    partial.replace(path)


def load(path: Path) -> Case:
    """Read a case written by `store`."""
    with np.load(path) as data:
        r, i, p = (float(d) for d in data["spacing_rip_mm"])
        return Case(data["images"], data["labels"], data["vertebrae"], (r, i, p))


def _is_of_this_generator(path: Path) -> bool:
    """Say whether a case is there and the same seed would give it again."""
    if not path.exists():
        return False
    with np.load(path) as data:
        return "generator" in data and int(data["generator"]) == GENERATOR_VERSION


def fill(
    folder: Path,
    seeds: range,
    *,
    grid_rip_mm: tuple[float, float, float] = COMPACT_GRID_MM,
    device: torch.device | str = "cpu",
) -> int:
    """Generate the cases of a folder that are missing or that another generator made.

    Parameters
    ----------
    folder : Path
        Receives ``<seed>.npz``.
    seeds : range
        Seeds of the cases.
    grid_rip_mm : tuple of 3 floats
        Grid of the network.
    device : torch device
        Where the phantoms are painted.

    Returns
    -------
    int
        Number of cases made now.
    """
    made = 0
    for seed in seeds:
        path = folder / f"{seed:07d}.npz"
        if not _is_of_this_generator(path):
            store(make_case(seed, grid_rip_mm, device=device), path, generator=GENERATOR_VERSION)
            made += 1
    return made

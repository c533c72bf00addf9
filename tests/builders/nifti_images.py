"""Small NIfTI images, right and odd."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

SAGITTAL_RAS = np.array(
    [[0.0, 0.0, 3.3, -20.0], [1.5, 0.0, 0.0, -48.0], [0.0, -1.5, 0.0, 75.0], [0.0, 0.0, 0.0, 1.0]]
)
"""Sagittal slices of 1.5 x 1.5 mm, 3.3 mm apart: i runs forwards, j down, k to the right."""


def noise(shape: tuple[int, ...] = (64, 100, 13), seed: int = 0) -> NDArray[np.int16]:
    """Noise of MR-like values; 96 x 150 x 43 mm with `SAGITTAL_RAS`."""
    return np.random.default_rng(seed).integers(20, 900, shape).astype(np.int16)


def save_image(
    path: Path,
    array: NDArray[np.generic] | None = None,
    *,
    sform: NDArray[np.float64] | None = SAGITTAL_RAS,
    qform: NDArray[np.float64] | None = SAGITTAL_RAS,
    units: str = "mm",
) -> Path:
    """Write an image with both transforms, each present (code 1) unless it is None."""
    image = nib.Nifti1Image(noise() if array is None else array, None)
    image.header.set_xyzt_units(units)
    image.header.set_zooms(
        (*np.linalg.norm(SAGITTAL_RAS[:3, :3], axis=0), *(1.0,) * (image.ndim - 3))[: image.ndim]
    )
    image.header.set_qform(qform, 0 if qform is None else 1)
    image.header.set_sform(sform, 0 if sform is None else 1)
    if qform is None and sform is not None:
        image.header["pixdim"][1:4] = np.linalg.norm(sform[:3, :3], axis=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The header's own transforms, also where they contradict each other.
    image._affine = image.header.get_best_affine()
    nib.save(image, path)
    return path


def patched(path: Path, **fields: object) -> Path:
    """Overwrite fields of an uncompressed image's header in place."""
    content = path.read_bytes()
    header = nib.Nifti1Header(content[:348], check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + content[348:])
    return path

"""NIfTI files to volumes and label maps, and back, losing no geometry.

NIfTI counts indices (i, j, k) and places them in RAS; here arrays are [k, j, i] in LPS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError

from operators.errors import GeometryError, UnreadableInputError
from operators.imaging.volume import LabelMap, Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_RAS_FROM_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
_REVERSE_INDEX: Final = np.eye(4)[[2, 1, 0, 3]]


def read_volume(path: Path) -> Volume:
    """Read a 3-D NIfTI image.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``; a fourth axis of length 1 is dropped.

    Returns
    -------
    Volume
        float32 with the file's scaling applied.

    Raises
    ------
    UnreadableInputError
        If the file is no readable NIfTI.
    GeometryError
        If the image is not 3-D (``not_three_dimensional``) or its affine is singular.
    """
    array, affine = _read(path)
    return Volume(np.ascontiguousarray(array.astype(np.float32).transpose(2, 1, 0)), affine)


def read_label_map(path: Path) -> LabelMap:
    """Read a 3-D NIfTI label map; errors as in `read_volume`.

    Raises
    ------
    UnreadableInputError
        Also if the values are not whole numbers from 0 to 65535 (``not_a_label_map``).
    """
    array, affine = _read(path)
    # Of 8-bit integers NumPy's rint makes half floats, which cannot hold the limit below.
    labels = np.rint(array.astype(np.float64))
    if not np.array_equal(labels, array) or labels.min() < 0 or labels.max() > np.iinfo("u2").max:
        raise UnreadableInputError(
            "the mask does not hold whole label numbers", reasons=("not_a_label_map",)
        )
    return LabelMap(np.ascontiguousarray(labels.astype(np.uint16).transpose(2, 1, 0)), affine)


def write_label_map(labels: LabelMap, path: Path) -> None:
    """Write a label map as NIfTI of type uint16, both sform and qform set."""
    _write(labels.labels_zyx.astype(np.uint16), labels.affine_lps, path)


def write_volume(volume: Volume, path: Path) -> None:
    """Write an image as NIfTI of type float32, both sform and qform set."""
    _write(volume.voxels_zyx.astype(np.float32), volume.affine_lps, path)


def _write(array_zyx: NDArray[np.number], affine_lps: NDArray[np.float64], path: Path) -> None:
    affine_ras = _RAS_FROM_LPS @ affine_lps @ _REVERSE_INDEX
    image = nib.nifti1.Nifti1Image(array_zyx.transpose(2, 1, 0), affine_ras)
    image.header.set_xyzt_units("mm")
    nib.loadsave.save(image, path)


def _read(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        image = nib.loadsave.load(path)
        array = np.asanyarray(image.dataobj)  # type: ignore[attr-defined]
    except (OSError, ImageFileError, EOFError, ValueError) as error:
        raise UnreadableInputError(
            "the file is not a readable NIfTI image", reasons=("unreadable_nifti",)
        ) from error
    if array.ndim > 3 and array.shape[3:] == (1,) * (array.ndim - 3):  # noqa: PLR2004
        array = array.reshape(array.shape[:3])
    if array.ndim != 3:  # noqa: PLR2004 - three axes of space
        raise GeometryError(
            f"the image has {array.ndim} axes, not 3", reasons=("not_three_dimensional",)
        )
    affine = _RAS_FROM_LPS @ image.affine @ _REVERSE_INDEX  # type: ignore[attr-defined]
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:  # noqa: PLR2004
        raise GeometryError("the image's affine is singular", reasons=("singular_affine",))
    return array, affine

"""NIfTI files to volumes and label maps, and back, losing no geometry.

NIfTI counts indices (i, j, k) and places them in RAS; here arrays are [k, j, i] in LPS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import nibabel as nib
import numpy as np

from operators.errors import EncodingError, InputRejectedError, UnreadableInputError
from operators.imaging.nifti_header import (
    READ_ERRORS,
    affine_ras,
    announced_bytes,
    copy_place,
    read_header,
    unreadable,
)
from operators.imaging.volume import LabelMap, Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.imaging.nifti_header import Header

_RAS_FROM_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
_EXPANSION: Final = {".gz": 1032}
"""How many bytes of an image one byte of its file can hold: deflate reaches 1032 (zlib manual)."""
_REVERSE_INDEX: Final = np.eye(4)[[2, 1, 0, 3]]


def read_volume(path: Path) -> Volume:
    """Read a 3-D NIfTI image.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``; further axes of length 1 are dropped.

    Returns
    -------
    Volume
        float32 with the file's scaling applied, in mm whatever the file's unit.

    Raises
    ------
    UnreadableInputError
        If the file is no readable NIfTI (``unreadable_nifti``).
    GeometryError
        With all reasons of `operators.imaging.nifti_header.affine_ras`.
    PixelDataError
        Likewise, for values that are no intensities.
    """
    array, affine = _read(path)
    with np.errstate(over="ignore"):  # beyond float32: infinite, and judged as such
        voxels = array.astype(np.float32)
    return Volume(np.ascontiguousarray(voxels.transpose(2, 1, 0)), affine)


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


def write_label_map(
    labels: LabelMap, path: Path, *, like: Path | None = None, note: str = ""
) -> None:
    """Write a label map as NIfTI of type uint16.

    Parameters
    ----------
    labels : LabelMap
        What to write.
    path : Path
        ``.nii.gz`` or ``.nii``.
    like : Path, optional
        NIfTI file of the same grid whose transforms, codes and units are written as they are, so
        that every program places the map as it places that image; default: the map's own affine
        in mm, as sform.
    note : str
        For the header field ``descrip``; at most 79 characters.

    Raises
    ------
    EncodingError
        If ``like`` is no longer the image that the labels belong to (``input_changed``).
    """
    if like is None:
        _write(labels.labels_zyx.astype(np.uint16), labels.affine_lps, path, note=note)
        return
    header = _header_like(like, labels)
    header.set_data_dtype(np.uint16)
    header["descrip"] = note.encode("latin-1")
    array = labels.labels_zyx.astype(np.uint16).transpose(2, 1, 0)
    nib.loadsave.save(nib.nifti1.Nifti1Image(array, None, header), path)


def read_note(path: Path) -> str:
    """Read the ``descrip`` field of a NIfTI file.

    Raises
    ------
    UnreadableInputError
        ``unreadable_nifti``.
    """
    return bytes(read_header(path)["descrip"]).rstrip(b"\0").decode("latin-1")


def write_volume(volume: Volume, path: Path) -> None:
    """Write an image as NIfTI of type float32."""
    _write(volume.voxels_zyx.astype(np.float32), volume.affine_lps, path)


def _header_like(like: Path, labels: LabelMap) -> Header:
    """Make a header with the place of another file, if that is still where the labels lie."""
    message = "the input was changed while it was segmented"
    try:
        source = read_header(like)
        affine = lps_of(affine_ras(source))
    except InputRejectedError as error:
        raise EncodingError(message, reasons=("input_changed",)) from error
    shape = tuple(source["dim"][1:4][::-1])
    if shape != labels.labels_zyx.shape or not np.array_equal(affine, labels.affine_lps):
        raise EncodingError(message, reasons=("input_changed",))
    header = nib.nifti1.Nifti1Header()
    copy_place(source, header)
    return header


def _write(
    array_zyx: NDArray[np.number], affine_lps: NDArray[np.float64], path: Path, *, note: str = ""
) -> None:
    affine = ras_of(affine_lps)
    image = nib.nifti1.Nifti1Image(array_zyx.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = note.encode("latin-1")
    nib.loadsave.save(image, path)


def lps_of(affine_ras: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn NIfTI's affine, index (i, j, k, 1) to RAS, into ours, index (k, j, i, 1) to LPS."""
    lps: NDArray[np.float64] = _RAS_FROM_LPS @ affine_ras @ _REVERSE_INDEX
    return lps


def ras_of(affine_lps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn our affine, index (k, j, i, 1) to LPS, into NIfTI's, index (i, j, k, 1) to RAS."""
    ras: NDArray[np.float64] = _RAS_FROM_LPS @ affine_lps @ _REVERSE_INDEX
    return ras


def _read(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    header = read_header(path)
    affine = lps_of(affine_ras(header))
    if announced_bytes(header) > _EXPANSION.get(path.suffix.lower(), 1) * path.stat().st_size:
        raise unreadable()  # before nibabel reserves memory for all that is announced
    try:
        image = nib.loadsave.load(path)
        array = np.asanyarray(image.dataobj)  # type: ignore[attr-defined]
    except READ_ERRORS as error:
        raise unreadable() from error
    if array.size == 0:
        raise unreadable()
    return array.reshape(array.shape[:3]), affine

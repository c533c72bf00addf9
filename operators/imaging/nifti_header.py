"""What a NIfTI header says about place and values, judged before a voxel is read.

A header holds two transforms and a grid spacing, and programs differ in which of them they
believe; an image is taken only where they say the same. Nothing is corrected here.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Final

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from operators.errors import GeometryError, PixelDataError, UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

Header = nib.nifti1.Nifti1Header
"""Also of a NIfTI-2 file: nibabel derives its header from this one."""

READ_ERRORS: Final = (
    *(OSError, EOFError, ValueError, LookupError, ArithmeticError, MemoryError, zlib.error),
    *(ImageFileError, HeaderDataError),
)
"""What nibabel and the decompressors raise for a broken file."""

_HEADERS: Final[dict[int, type[Header]]] = {
    348: nib.nifti1.Nifti1Header,
    540: nib.nifti2.Nifti2Header,
}
"""By the header's first number, its own size in bytes (sizeof_hdr)."""

_MAGIC: Final = b"n+"
"""Of a single file, NIfTI-1 or -2; ``ni`` marks a pair, nothing an Analyze header."""

_TO_MM: Final = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""Factor of each spatial unit code of xyzt_units: unknown (taken as mm, as all readers do), metre,
mm, micrometre."""

_SPATIAL_UNIT: Final = 7
"""The three bits of xyzt_units that hold the spatial unit (nifti1.h, XYZT_TO_SPACE)."""

_LAST_CODE: Final = 5
"""Highest transform code that the standard names (NIFTI_XFORM_TEMPLATE_OTHER)."""

_TRANSFORM_FIELDS: Final = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
)

DISAGREEMENT_VOXELS: Final = 0.5
"""By how much of the smallest voxel edge two transforms may differ at the corner where they differ
most. Rounding to float32 makes less than a thousandth; from half a voxel on, two viewers that
believe different transforms put the same mask on different voxels."""

SHEAR_COSINE: Final = 0.02
"""Highest cosine between two axes: rounding direction cosines to two decimals makes up to
2 x 0.005 x sqrt(3) = 0.017, and a shear of 1.1 degrees distorts a vertebra by less than a voxel.
A tilted gantry or an affine registration makes more."""

SPACING_RANGE_MM: Final = (0.1, 20.0)
"""Voxel edges of a spine MR image lie between 0.2 (interpolated) and 10 mm; a factor of 10 (cm) or
1000 (metre, micrometre without its unit) leads out of this range."""

_SMALLEST_DETERMINANT: Final = 1e-9


def read_header(path: Path) -> Header:
    """Read the header of a NIfTI file as it is stored, nothing filled in or repaired.

    Parameters
    ----------
    path : Path
        A single-file image, compressed or not.

    Returns
    -------
    Header
        nibabel's own image headers have impossible spacings and codes replaced already.

    Raises
    ------
    UnreadableInputError
        ``unreadable_nifti``.
    """
    try:
        with nib.openers.ImageOpener(str(path)) as file:
            block = file.read(max(_HEADERS))
        sizes = (int.from_bytes(block[:4], order) for order in ("little", "big"))
        size = next((size for size in sizes if size in _HEADERS), 0)
        header = _HEADERS[size](block[:size], check=False)
    except READ_ERRORS as error:
        raise unreadable() from error
    if not bytes(header["magic"]).startswith(_MAGIC):
        raise unreadable()
    return header


def unreadable() -> UnreadableInputError:
    """Make the error for a file that is no readable NIfTI image."""
    return UnreadableInputError(
        "the file is not a readable NIfTI image", reasons=("unreadable_nifti",)
    )


def affine_ras(header: Header) -> NDArray[np.float64]:
    """Place the voxels in the patient, or refuse with every reason.

    Parameters
    ----------
    header : Header
        From `read_header`.

    Returns
    -------
    (4, 4) ndarray of float64
        Index (i, j, k, 1) to RAS mm: the sform where there is one, else the qform.

    Raises
    ------
    GeometryError
        ``not_three_dimensional``; ``no_transform`` (both codes are 0); ``invalid_transform`` (a
        quaternion, spacing, code or unit that means nothing, numbers that are not finite);
        ``singular_affine``; ``disagreeing_transforms`` (sform, qform and grid spacing, beyond
        `DISAGREEMENT_VOXELS`); ``shear`` (beyond `SHEAR_COSINE`); ``implausible_spacing`` (outside
        `SPACING_RANGE_MM`).
    PixelDataError
        ``colour_image``, ``complex_image``, ``unsupported_data_type``.

    References
    ----------
    nifti1.h, "3D image (volume) orientation and location in space", methods 1 to 3
    """
    stated = dict(_stated(header))
    placed = {name: affine for name, affine in stated.items() if affine is not None}
    chosen = placed.get("sform", placed.get("qform"))
    findings = [*_shape_findings(header), *_transform_findings(stated)]
    if chosen is not None:
        findings += affine_findings(chosen)
    if not findings and chosen is not None:
        findings += _disagreements(header, chosen, placed)
    values = [*_value_findings(header)]
    if findings:
        raise GeometryError(message_of(findings + values), reasons=names_of(findings + values))
    if values or chosen is None:
        raise PixelDataError(message_of(values), reasons=names_of(values))
    return chosen


def announced_bytes(header: Header) -> int:
    """Count the bytes of values that a header announces; 0 for a negative length."""
    axes = int(header["dim"][0])
    count = math.prod(int(n) for n in header["dim"][1 : axes + 1])
    return max(0, count) * int(header.get_data_dtype().itemsize)


def copy_place(source: Header, target: Header) -> None:
    """Give a header the transforms, codes, spacing and units of another, as they are stored.

    Parameters
    ----------
    source, target : Header
        Of the same grid; the target is changed.
    """
    for field in (*_TRANSFORM_FIELDS, "xyzt_units"):
        target[field] = source[field]
    target["pixdim"][:4] = source["pixdim"][:4]


def _stated(header: Header) -> Iterator[tuple[str, NDArray[np.float64] | None]]:
    """Yield the transforms that the header holds, in mm; None for one that means nothing."""
    factor = _TO_MM.get(int(header["xyzt_units"]) & _SPATIAL_UNIT)
    for name, read in (("qform", _qform), ("sform", _sform)):
        code = int(header[f"{name}_code"])
        if code == 0:
            continue
        affine = read(header) if 0 < code <= _LAST_CODE else None
        if affine is None or factor is None or not np.isfinite(affine).all():
            yield name, None
        else:
            yield name, np.vstack([affine[:3] * factor, [[0.0, 0.0, 0.0, 1.0]]])


def _transform_findings(
    stated: dict[str, NDArray[np.float64] | None],
) -> Iterator[tuple[str, str]]:
    broken = [name for name, affine in stated.items() if affine is None]
    if not stated:
        yield "no_transform", "qform_code and sform_code are 0"
    if broken:
        yield "invalid_transform", ", ".join(broken)


def _sform(header: Header) -> NDArray[np.float64]:
    return np.asarray(header.get_sform(), dtype=np.float64)


def _qform(header: Header) -> NDArray[np.float64] | None:
    spacing = header["pixdim"][1:4]
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        return None
    header = header.copy()
    if header["pixdim"][0] == 0:
        header["pixdim"][0] = 1.0  # nifti1.h: 0 is taken as 1
    try:
        return np.asarray(header.get_qform(), dtype=np.float64)
    except (ValueError, HeaderDataError):
        return None


def _shape_findings(header: Header) -> Iterator[tuple[str, str]]:
    axes = int(header["dim"][0])
    lengths = [int(n) for n in header["dim"][1 : axes + 1]]
    further = math.prod(lengths[3:])
    if axes < 3 or further != 1:  # noqa: PLR2004 - three axes of space
        detail = f"{further} volumes in one file" if axes > 3 else f"{axes} axes"  # noqa: PLR2004
        yield "not_three_dimensional", detail


def affine_findings(affine: NDArray[np.float64]) -> Iterator[tuple[str, str]]:
    """Judge one transform by itself: name and detail of all that is wrong with it."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if abs(np.linalg.det(affine[:3, :3])) < _SMALLEST_DETERMINANT * max(1.0, lengths.max() ** 3):
        yield "singular_affine", "the three axes do not span space"
        return
    low, high = SPACING_RANGE_MM
    if lengths.min() < low or lengths.max() > high:
        edges = " x ".join(f"{length:.4g}" for length in lengths)
        detail = f"voxels of {edges} mm, where {low} to {high} mm are plausible; is the unit right?"
        yield "implausible_spacing", detail
    axes = affine[:3, :3] / lengths
    cosine = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if cosine > SHEAR_COSINE:
        degrees = math.degrees(math.asin(min(1.0, cosine)))
        yield "shear", f"axes {degrees:.1f} degrees off a right angle"


def _disagreements(
    header: Header, chosen: NDArray[np.float64], placed: dict[str, NDArray[np.float64]]
) -> Iterator[tuple[str, str]]:
    """Compare what the header says in several places about the same voxels."""
    counts = np.array([int(n) for n in header["dim"][1:4]])
    lengths = np.linalg.norm(chosen[:3, :3], axis=0)
    limit = DISAGREEMENT_VOXELS * float(lengths.min())
    others = [affine for affine in placed.values() if affine is not chosen]
    for other in others:
        far = float(np.linalg.norm((other - chosen)[:3] @ _corners(counts), axis=0).max())
        if far > limit:
            yield "disagreeing_transforms", f"qform and sform are up to {far:.2f} mm apart"
    factor = _TO_MM[int(header["xyzt_units"]) & _SPATIAL_UNIT]
    spacing = np.abs(header["pixdim"][1:4].astype(np.float64)) * factor
    if not others and np.isfinite(spacing).all() and (spacing > 0).all():
        far = float((np.abs(spacing - lengths) * (counts - 1)).max())
        if far > limit:
            detail = f"sform and pixdim differ by {far:.2f} mm over the image"
            yield "disagreeing_transforms", detail


def _corners(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Give the indices of the eight corner voxels, homogeneous; (4, 8)."""
    ends = np.array(np.meshgrid(*((0, n - 1) for n in counts))).reshape(3, -1)
    return np.vstack([ends, np.ones(8)])


def _value_findings(header: Header) -> Iterator[tuple[str, str]]:
    code = int(header["datatype"])
    try:
        dtype = header.get_data_dtype()
    except (KeyError, HeaderDataError):
        dtype = np.dtype(np.void)
    if dtype.names:
        yield "colour_image", "RGB values are no MR intensities"
    elif dtype.kind == "c":
        yield "complex_image", "take the magnitude"
    elif dtype.kind == "V":
        yield "unsupported_data_type", f"datatype {code}"


def message_of(findings: list[tuple[str, str]]) -> str:
    """Put findings into one line: name (detail); name (detail)."""
    return "; ".join(f"{name} ({detail})" for name, detail in findings)


def names_of(findings: list[tuple[str, str]]) -> tuple[str, ...]:
    """Names of findings, each once."""
    return tuple(dict.fromkeys(name for name, _ in findings))

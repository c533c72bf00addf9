"""The headers of the source images, read again and put into one form for results to copy from.

Classic and multi-frame sources come out alike: one header per slice of the volume. Pixels are not
read; whether the slices form a volume was decided by ``assembly``.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import validate_value

from operators.dicom.copied_attributes import (
    COPIED,
    OPTIONAL_PLACE,
    REQUIRED_EMPTY,
    REQUIRED_PLACE,
)
from operators.dicom.frames import PARSE_ERRORS, Frame, normal_header, planes
from operators.dicom.uids import derived_uid, digest
from operators.errors import EncodingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from operators.imaging.volume import SliceSource, Volume

_SEXES = ("M", "F", "O")
_MAX_DRIFT_STEPS = 0.25
"""A slice's own position against the volume's affine, in slice distances. Accepted series may be
irregular by 5 %, which adds up along k; half a step would be another slice."""
_MAX_STEP_ERROR_MM = 1e-3
"""In-plane index steps of the affine against orientation and pixel spacing of the header."""


@dataclass(frozen=True, slots=True)
class SourceHeaders:
    """What a result copies from its source series.

    Attributes
    ----------
    common : Dataset
        Patient, study, equipment and frame of reference, without Specific Character Set.
    character_set : str or list of str or None
        Specific Character Set, as it stands in the source.
    series_number : int or None
        Number of the source series.
    planes : tuple of Dataset
        One per slice k: ImagePositionPatient, ImageOrientationPatient, PixelSpacing,
        SliceThickness, SpacingBetweenSlices as written in the source.
    """

    common: Dataset
    character_set: str | list[str] | None
    series_number: int | None
    planes: tuple[Dataset, ...]


def read_source_headers(volume: Volume) -> SourceHeaders:
    """Read the headers that a result on this volume's grid refers to.

    Parameters
    ----------
    volume : Volume
        As assembled, with one source per slice.

    Returns
    -------
    SourceHeaders
        Lazily decoded values are decoded; files are closed.

    Raises
    ------
    EncodingError
        If the sources are gone, changed, disagree with one another or do not lie on the grid.
    """
    if not volume.source or len(volume.source) != volume.voxels_zyx.shape[0]:
        raise EncodingError("the volume does not name its slices", reasons=("no_source",))
    with warnings.catch_warnings():
        # pydicom's warnings quote values, and values are patient data.
        warnings.simplefilter("ignore")
        files = {path: _read(path) for path in {source.path for source in volume.source}}
        frames = [_frame_of(files[source.path], source) for source in volume.source]
        _check_identity(frames)
        places = tuple(_place(frame) for frame in frames)
        _check_positions(places, volume)
        return SourceHeaders(
            common=_common(frames[0]),
            character_set=_character_set(frames[0]),
            series_number=_integer(frames[0].get("SeriesNumber")),
            planes=places,
        )


def plane_digests(headers: SourceHeaders, volume: Volume) -> Iterator[str]:
    """Digest each slice: its decoded values and everything of its header that a result copies.

    Parameters
    ----------
    headers : SourceHeaders
        Of the volume.
    volume : Volume
        The source volume; its values are those after rescale, so that a lossless change of the
        transfer syntax on the way does not make another image.

    Yields
    ------
    str
        One digest per slice k.
    """
    shared = _encoded(headers.common) + repr(headers.character_set).encode()
    for source, plane, values in zip(volume.source, headers.planes, volume.voxels_zyx, strict=True):
        pixels = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        yield digest(
            (
                source.sop_instance_uid,
                str(source.frame_number),
                shared,
                _encoded(plane),
                f"{pixels.dtype.str} {pixels.shape}",
                pixels.tobytes(),
            )
        )


def _read(path: Path) -> tuple[Frame, ...]:
    try:
        with path.open("rb") as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        return planes(path, normal_header(dataset)[0])
    except PARSE_ERRORS as error:
        raise EncodingError("a source image is gone", reasons=("source_missing",)) from error


def _frame_of(frames: tuple[Frame, ...], source: SliceSource) -> Dataset:
    """Header of the plane that a slice came from."""
    for frame in frames:
        if (
            frame.frame_number == source.frame_number
            and frame.header.get("SOPInstanceUID") == source.sop_instance_uid
        ):
            return frame.header
    raise EncodingError("a source image was replaced", reasons=("source_changed",))


def _check_identity(headers: list[Dataset]) -> None:
    reasons = [
        f"mixed_{name}"
        for name, keyword in (
            ("study", "StudyInstanceUID"),
            ("series", "SeriesInstanceUID"),
            ("frame_of_reference", "FrameOfReferenceUID"),
            ("patient", "PatientID"),
        )
        if len({str(header.get(keyword, "")) for header in headers}) > 1
    ]
    reasons += [
        f"no_{name}"
        for name, keyword in (("study", "StudyInstanceUID"), ("series", "SeriesInstanceUID"))
        if not headers[0].get(keyword)
    ]
    if reasons:
        raise EncodingError("the source images do not form one series", reasons=tuple(reasons))


def _place(header: Dataset) -> Dataset:
    """Position, orientation and measures of one plane, untouched."""
    place = Dataset()
    for keyword in REQUIRED_PLACE + OPTIONAL_PLACE:
        if keyword in header:
            place[keyword] = header[keyword]
    if any(keyword not in place for keyword in REQUIRED_PLACE):
        raise EncodingError("a source image has no position", reasons=("source_changed",))
    return place


def _check_positions(planes: tuple[Dataset, ...], volume: Volume) -> None:
    affine = volume.affine_lps
    expected = affine[:3, 3] + np.arange(len(planes))[:, None] * affine[:3, 0]
    found = np.array([plane.ImagePositionPatient for plane in planes], dtype=np.float64)
    step = float(np.linalg.norm(affine[:3, 0]))
    cosines = np.array(planes[0].ImageOrientationPatient, dtype=np.float64)
    row_mm, column_mm = (float(v) for v in planes[0].PixelSpacing)
    in_plane = np.stack([cosines[3:] * row_mm, cosines[:3] * column_mm], axis=1)
    if (
        float(np.linalg.norm(found - expected, axis=1).max()) > _MAX_DRIFT_STEPS * step
        or float(np.abs(affine[:3, 1:3] - in_plane).max()) > _MAX_STEP_ERROR_MM
    ):
        raise EncodingError(
            "the slices do not lie where the volume says", reasons=("source_off_grid",)
        )


def _common(header: Dataset) -> Dataset:
    common = Dataset()
    for keyword in COPIED:
        if keyword in header and _is_usable(header, keyword):
            common.add(header[keyword])
    if common.get("PatientSex") not in _SEXES:
        common.PatientSex = ""
    for keyword in REQUIRED_EMPTY:
        if common.get(keyword) is None:
            setattr(common, keyword, "")
    if not common.get("FrameOfReferenceUID"):
        # Mandatory in every MR object; without it the result would have no place at all.
        common.FrameOfReferenceUID = derived_uid(
            str(header.SeriesInstanceUID), "frame of reference"
        )
    return common


def _is_usable(header: Dataset, keyword: str) -> bool:
    """Whether a value may be copied: names and numbers of the patient always, others if valid."""
    element = header[keyword]
    if element.VR in ("SQ", "PN") or keyword in ("PatientID", "StudyInstanceUID"):
        return True
    if element.is_empty:
        return keyword in REQUIRED_EMPTY
    values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
    try:
        for value in values:
            validate_value(element.VR, str(value), pydicom.config.RAISE)
    except ValueError:
        return False
    return True


def _character_set(header: Dataset) -> str | list[str] | None:
    value = header.get("SpecificCharacterSet")
    if value is None or isinstance(value, str):
        return value or None
    return [str(part) for part in value]


def _integer(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _encoded(dataset: Dataset) -> bytes:
    """Explicit VR Little Endian bytes of a dataset, text as UTF-8."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset, parent_encoding="ISO_IR 192")
    return buffer.getvalue()

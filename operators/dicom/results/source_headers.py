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

from operators.dicom.headers.copied_attributes import (
    COPIED,
    OPTIONAL_PLACE,
    REQUIRED_EMPTY,
    REQUIRED_PLACE,
)
from operators.dicom.headers.normal_header import PARSE_ERRORS, normal_header
from operators.dicom.identity.uids import derived_uid, digest
from operators.dicom.reading.frames import Frame, planes
from operators.dicom.reading.geometry import farthest_off_grid_mm, place, plane_of
from operators.dicom.reading.regularity import MAX_OFF_GRID_STEPS
from operators.dicom.reading.source_identity import identity_findings
from operators.errors import EncodingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from operators.imaging.volume import SliceSource, Volume

_SEXES = ("M", "F", "O")
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
        headers = [frame.header for frame in frames]
        places = tuple(_place(header) for header in headers)
        _check_positions(places, volume)
        return SourceHeaders(
            common=_common(headers[0]),
            character_set=_character_set(headers[0]),
            series_number=_integer(headers[0].get("SeriesNumber")),
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


def _frame_of(frames: tuple[Frame, ...], source: SliceSource) -> Frame:
    """Plane that a slice came from."""
    for frame in frames:
        if (
            frame.frame_number == source.frame_number
            and frame.header.get("SOPInstanceUID") == source.sop_instance_uid
        ):
            return frame
    raise EncodingError("a source image was replaced", reasons=("source_changed",))


def _check_identity(frames: list[Frame]) -> None:
    """See once more what assembly saw: files can be exchanged meanwhile."""
    reasons = [finding.name for finding in identity_findings(frames)]
    if len({str(frame.header.get("FrameOfReferenceUID", "")) for frame in frames}) > 1:
        reasons.append("mixed_frame_of_reference")
    if reasons:
        raise EncodingError("the source images do not form one series", reasons=tuple(reasons))


def _place(header: Dataset) -> Dataset:
    """Position, orientation and measures of one plane, untouched."""
    copied = Dataset()
    for keyword in REQUIRED_PLACE + OPTIONAL_PLACE:
        if keyword in header:
            copied[keyword] = header[keyword]
    if any(keyword not in copied for keyword in REQUIRED_PLACE):
        raise EncodingError("a source image has no position", reasons=("source_changed",))
    return copied


def _check_positions(planes: tuple[Dataset, ...], volume: Volume) -> None:
    affine = volume.affine_lps
    seen = [plane_of(plane) for plane in planes]
    if any(plane.problems for plane in seen):
        raise EncodingError("a source image has no position", reasons=("source_changed",))
    found = np.array([plane.position_lps for plane in seen])
    step = float(np.linalg.norm(affine[:3, 0]))
    in_plane = place(seen).affine_lps[:3, 1:3]
    if (
        farthest_off_grid_mm(found, affine) > MAX_OFF_GRID_STEPS * step
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

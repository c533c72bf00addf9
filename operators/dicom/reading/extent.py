"""Whether the pixels that a header announces are in the file, told without reading them.

A transfer that broke off leaves files whose headers are sound; a scan should name them at once.
This module decodes nothing: damage inside complete pixel data is `reading.decoding`'s.
How much padding may stand behind the pixels is `operators.dicom.headers.pixel_description`'s.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO

from pydicom.dataelem import RawDataElement
from pydicom.uid import DeflatedExplicitVRLittleEndian

from operators.dicom.headers.pixel_description import described, length_problem

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_UNDEFINED = 0xFFFFFFFF
_PIXEL_GROUP = 0x7FE0
_ITEM_HEADER_BYTES = 8
_SEQUENCE_END = b"\xfe\xff\xdd\xe0"


def pixel_problem(file: BinaryIO, dataset: FileDataset) -> str | None:
    """Name what is missing of an instance's pixel data.

    Parameters
    ----------
    file : binary file
        Positioned where reading stopped: at the pixel data element or at the end.
    dataset : FileDataset
        What was read before it.

    Returns
    -------
    str or None
        ``truncated_header`` (the file ends inside an element), ``missing_pixels`` (an image
        without pixel data), ``truncated_pixels``, ``pixel_length_mismatch`` (more than the header
        announces), or None where nothing is wrong or the object isn't an image. Of a deflated file
        only the header is judged, of an image that isn't grey only whether the data are complete.
    """
    if _ends_inside_an_element(dataset):
        return "truncated_header"
    if "Rows" not in dataset or _is_deflated(dataset):
        return None
    implicit, little = _encoding(dataset)
    order, head_bytes = "<" if little else ">", 8 if implicit else 12
    head = file.read(head_bytes)
    if len(head) < head_bytes or struct.unpack(order + "H", head[:2])[0] != _PIXEL_GROUP:
        return "missing_pixels"
    length = struct.unpack(order + "I", head[-4:])[0]
    if length == _UNDEFINED:
        size = os.fstat(file.fileno()).st_size
        return None if _fragments_are_complete(file, size) else "truncated_pixels"
    return _native_problem(file, dataset, int(length))


def _encoding(dataset: FileDataset) -> tuple[bool, bool]:
    """Whether the elements are implicit VR and little endian: as read, whatever the meta says."""
    for tag in list(dataset.keys())[-1:]:
        raw: object = dataset.get_item(tag)
        if isinstance(raw, RawDataElement):
            return raw.is_implicit_VR, raw.is_little_endian
    implicit, little = dataset.original_encoding
    return bool(implicit), bool(little)


def _native_problem(file: BinaryIO, dataset: FileDataset, length: int) -> str | None:
    """Look at pixel data of a stated length, from where the file stands."""
    start = file.tell()
    if start + length > os.fstat(file.fileno()).st_size:
        return "truncated_pixels"
    description = described(dataset)

    def read(place: int, count: int) -> bytes:
        file.seek(start + place)
        return file.read(count)

    return None if description.problems else length_problem(description, length, read)


def _is_deflated(dataset: FileDataset) -> bool:
    return bool(dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian)


def _ends_inside_an_element(dataset: FileDataset) -> bool:
    """Whether the last element holds fewer bytes than its length says."""
    for tag in list(dataset.keys())[-1:]:
        raw = dataset.get_item(tag)
        length = getattr(raw, "length", None)
        value = getattr(raw, "value", None)
        if length in (None, _UNDEFINED) or not isinstance(value, bytes):
            return False
        return len(value) < int(length)
    return False


def _fragments_are_complete(file: BinaryIO, size: int) -> bool:
    """Walk the items of encapsulated pixel data (PS3.5 A.4) up to the sequence delimiter."""
    while True:
        head = file.read(_ITEM_HEADER_BYTES)
        if len(head) < _ITEM_HEADER_BYTES:
            return False
        if head[:4] == _SEQUENCE_END:
            return True
        end = file.tell() + int(struct.unpack("<I", head[4:])[0])
        if end > size:
            return False
        file.seek(end)

"""The header of a received object, read from the beginning of its data set.

The bytes come from outside: whatever is wrong with them, the answer is a header with less in it.
Values are taken raw and read here, since pydicom would warn about odd ones by quoting them.
All that is wanted stands before group 2002; functional groups and pixels are never looked at.
A header longer than what is kept in memory (private elements of megabytes) is read from the file.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from pydicom.dataelem import RawDataElement
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from app.node.archive.header_stream import (
    LARGEST_HEADER_BYTES,
    UNDEFINED,
    Bounded,
    Inflated,
    skip_undefined,
)
from app.node.archive.incoming import HEAD_BYTES
from app.node.archive.patient_header import FILTERS, PATIENT_TAGS, RawPatient
from app.node.archive.raw_values import RawValues
from app.node.journal.facts import ArrivalFacts
from operators.dicom.headers.mr_images import MR_IMAGE, MR_IMAGE_CLASSES
from operators.dicom.reading.frames import PARSE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

_MULTIFRAME_CLASSES: Final = MR_IMAGE_CLASSES - {MR_IMAGE}

_TAGS: Final = {
    "character_set": 0x00080005,
    "image_type": 0x00080008,
    "sop_class_uid": 0x00080016,
    "sop_instance_uid": 0x00080018,
    "modality": 0x00080060,
    "description": 0x0008103E,
    "echo_time": 0x00180081,
    "echo_number": 0x00180086,
    "trigger_time": 0x00181060,
    "study_uid": 0x0020000D,
    "series_uid": 0x0020000E,
    "acquisition_number": 0x00200012,
    "image_position": 0x00200032,
    "image_orientation": 0x00200037,
    "temporal_position": 0x00200100,
    "images_in_acquisition": 0x00201002,
    "series_instances": 0x00201209,
    "concatenation_uid": 0x00209161,
    "number_of_frames": 0x00280008,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "philips_creator": 0x20010010,
    "philips_slices": 0x20011018,
} | PATIENT_TAGS
_WANTED: Final[list[BaseTag | int]] = [BaseTag(tag) for tag in _TAGS.values()]
_NAMES: Final = {tag: name for name, tag in _TAGS.items()}
_BEHIND: Final = 0x20020000

_PHILIPS: Final = "PHILIPS IMAGING DD 001"
_LONGEST_MODALITY: Final = 16
_LONGEST_DESCRIPTION: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedHeader:
    """What the node wants to know of an object.

    Attributes
    ----------
    sop_class_uid, sop_instance_uid, series_uid, study_uid : str
        Of the data set; empty where absent or not a UID.
    description : str
        Series description.
    facts : ArrivalFacts
        Evidence for completeness.
    is_whole : bool
        False where the bytes ended or broke within the header.
    patient : RawPatient
        Whom the object is about, not decoded yet.
    """

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""
    description: str = ""
    facts: ArrivalFacts = field(default_factory=ArrivalFacts)
    is_whole: bool = True
    patient: RawPatient = field(default_factory=RawPatient)


def read_header(
    head: bytes, transfer_syntax_uid: str, reopen: Callable[[], BinaryIO] | None = None
) -> ArrivedHeader:
    """Read the header of a data set.

    Parameters
    ----------
    head : bytes
        The data set's first bytes, at most `HEAD_BYTES` of them are used.
    transfer_syntax_uid : str
        How they are encoded.
    reopen : callable, optional
        Gives the whole data set, for a header that does not end within `head`; it is looked for
        in its first `LARGEST_HEADER_BYTES`. Default: `head` is all there is.

    Returns
    -------
    ArrivedHeader
        Never an error: what cannot be read is not in it.
    """
    values = _read_values(BytesIO(head), HEAD_BYTES, transfer_syntax_uid)
    is_deflated = transfer_syntax_uid == DeflatedExplicitVRLittleEndian
    may_go_on = len(head) >= HEAD_BYTES or is_deflated
    if reopen is not None and may_go_on and not values.has_ended:
        try:
            with reopen() as whole:
                values = _read_values(whole, LARGEST_HEADER_BYTES, transfer_syntax_uid)
        except OSError:
            values.is_broken = True
    sop_class_uid = values.uid("sop_class_uid")
    return ArrivedHeader(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=values.uid("sop_instance_uid"),
        series_uid=values.uid("series_uid"),
        study_uid=values.uid("study_uid"),
        description=values.text("description")[:_LONGEST_DESCRIPTION],
        facts=_facts(values, sop_class_uid),
        is_whole=values.is_whole,
        patient=RawPatient.of(values.raw),
    )


def _read_values(data_set: BinaryIO, bound: int, transfer_syntax_uid: str) -> RawValues:
    """Read raw values up to group 2002, or until bytes that are needed are not there.

    Parameters
    ----------
    data_set : BinaryIO
        At its beginning.
    bound : int
        Bytes (inflated) that may be looked at.
    transfer_syntax_uid : str
        Of the data set.

    Returns
    -------
    RawValues
        `has_ended` tells whether all of the header was seen.
    """
    is_implicit = transfer_syntax_uid == ImplicitVRLittleEndian
    is_little = transfer_syntax_uid != ExplicitVRBigEndian
    values = RawValues({}, "little" if is_little else "big")
    is_deflated = transfer_syntax_uid == DeflatedExplicitVRLittleEndian
    stream = Bounded(Inflated(data_set) if is_deflated else data_set, bound)
    with FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            while _take_values(stream, values, is_implicit=is_implicit, is_little=is_little):
                skip_undefined(stream, is_implicit=is_implicit, is_little=is_little)
        except PARSE_ERRORS:
            values.is_broken = True
    return values


def _take_values(stream: Bounded, values: RawValues, *, is_implicit: bool, is_little: bool) -> bool:
    """Read up to the next element of undefined length; False: the header is over."""
    stopped: list[int] = []

    def is_stop(tag: BaseTag, _vr: str | None, length: int) -> bool:
        if tag < _BEHIND and length != UNDEFINED:
            return False
        stopped.append(int(tag))
        return True

    elements = data_element_generator(
        cast("BinaryIO", stream), is_implicit, is_little, stop_when=is_stop, specific_tags=_WANTED
    )
    for element in elements:
        value = element.value
        if isinstance(element, RawDataElement) and isinstance(value, bytes):
            values.raw[_NAMES[int(element.tag)]] = value
            values.is_broken |= len(value) != element.length
    if not stopped:
        # pydicom reads and skips beyond the end of what it was given without a word.
        values.is_at_end = stream.is_within()
        return False
    values.has_ended = stopped[0] >= _BEHIND
    return not values.has_ended


def _facts(values: RawValues, sop_class_uid: str) -> ArrivalFacts:
    creator = values.words("philips_creator")[0].upper()
    modality = values.words("modality")[0][:_LONGEST_MODALITY]
    return ArrivalFacts(
        modality=modality,
        is_image=sop_class_uid in MR_IMAGE_CLASSES,
        is_enhanced=sop_class_uid in _MULTIFRAME_CLASSES,
        rows=values.binary("rows"),
        columns=values.binary("columns"),
        image_position=values.numbers("image_position", 3),
        image_orientation=values.numbers("image_orientation", 6),
        number_of_frames=values.whole("number_of_frames"),
        acquisition_number=values.whole("acquisition_number"),
        echo_number=values.first_whole("echo_number"),
        echo_time=values.number("echo_time"),
        temporal_position=values.whole("temporal_position"),
        trigger_time=values.number("trigger_time"),
        images_in_acquisition=values.whole("images_in_acquisition"),
        series_instances=values.whole("series_instances"),
        number_of_slices=values.binary("philips_slices") if creator == _PHILIPS else None,
        image_type=tuple(word[:_LONGEST_MODALITY] for word in values.words("image_type") if word),
        is_concatenated=bool(values.uid("concatenation_uid")),
    )

"""Objects beside the segmentations of a stack: what they take over from them, and what they derive.

A report, a document or a preview says the same of patient, study, equipment and time as the
segmentation it comes from, and gets identifiers that follow from that object's: whatever makes a
segmentation another one makes them others, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.dicom.headers.copied_attributes import PATIENT_KEYWORDS, STUDY_KEYWORDS
from operators.dicom.identity.result_kinds import SEMANTIC
from operators.dicom.identity.uids import derived_uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from operators.dicom.identity.provenance import ResultContext
    from operators.dicom.identity.result_kinds import ResultKind

_SHARED: Final = (
    "SpecificCharacterSet", "TimezoneOffsetFromUTC",
    "InstanceCreationDate", "InstanceCreationTime", "SeriesDate", "SeriesTime",
    "ContentDate", "ContentTime",
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber",
    "ContributingEquipmentSequence",
)  # fmt: skip
"""Attributes beside patient and study that every result of a stack has alike."""


def take_over(result: Dataset, semantic: Dataset) -> None:
    """Write patient, study, equipment, character set and times into an object (in place).

    Parameters
    ----------
    result : Dataset
        New object; what the segmentation does not have is taken out of it.
    semantic : Dataset
        Semantic segmentation of the same stack.
    """
    for keyword in (*PATIENT_KEYWORDS, *STUDY_KEYWORDS, *_SHARED):
        if keyword in semantic:
            result[keyword] = semantic[keyword]
        elif keyword in result:
            del result[keyword]


def companion_uid(semantic: Dataset, kind: ResultKind, *parts: str) -> str:
    """UID of an object beside a segmentation, or of a part of it.

    Parameters
    ----------
    semantic : Dataset
        Semantic segmentation of the same stack.
    kind : ResultKind
        Of the object.
    *parts : str
        What is identified, such as ``"series"`` or ``"instance"``.

    Returns
    -------
    str
        The same for the same input, as `operators.dicom.identity.uids.derived_uid`.
    """
    return derived_uid(str(semantic.SOPInstanceUID), kind.name, *parts)


def companion_series_number(semantic: Dataset, kind: ResultKind) -> int:
    """Series Number of an object beside a segmentation: that one's, with the own offset."""
    return int(semantic.SeriesNumber) - SEMANTIC.series_offset + kind.series_offset


def series_description(words: str, context: ResultContext) -> str:
    """Series Description of a result: what it is, its stack, that it replaces one, its reserve.

    Parameters
    ----------
    words : str
        Such as ``"SPINEPS semantic"``.
    context : ResultContext
        Of the stack.

    Returns
    -------
    str
        At most 64 characters for words of up to 23. Viewers list the old result and the new one
        side by side, with one Series Number: "revised" tells them apart.
    """
    revised = "revised" if context.predecessors else ""
    named = ", ".join(filter(None, (words, context.stack.label, revised)))
    return named + (" - research only" if context.is_research_only else "")

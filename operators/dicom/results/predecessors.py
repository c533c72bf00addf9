"""The results that a new segmentation object replaces, named in the object itself.

Late slices or corrected headers give a new object; the old one stays where it was sent. DICOM has
no attribute of the Segmentation IOD for this relation and no standard code among the purposes of
reference (PS3.16 CID 7201), so it is a referenced image with a purpose of our own scheme.

References
----------
DICOM PS3.3 C.12.4 (General Reference), C.12.2 (Common Instance Reference: every object that is
referenced is listed by its series, or by study and series outside this study).
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from operators.anatomy.codes import LOCAL_SCHEME
from operators.dicom.identity.result_kinds import KINDS, SEGMENTATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dicom.identity.provenance import Predecessor

REPLACED = "REPLACED"
"""Code value in `operators.anatomy.codes.LOCAL_SCHEME`."""
REPLACED_MEANING = "Segmentation replaced by this one"
_OTHER_MEANING = "Object replaced by this one"


def name_predecessors(result: Dataset, replaced: Sequence[Predecessor]) -> None:
    """Write into a segmentation or an image which objects it replaces.

    Parameters
    ----------
    result : Dataset
        With Referenced Series Sequence; the source series stays its first item, where viewers
        look for it.
    replaced : sequence of Predecessor
        Of the same kind as `result`; none changes nothing.
    """
    ordered = sorted(replaced, key=lambda item: (item.study_uid, item.series_uid))
    if not ordered:
        return
    result.ReferencedImageSequence = [
        _reference(predecessor, with_purpose=True) for predecessor in ordered
    ]
    for study_uid, of_study in groupby(ordered, key=lambda item: item.study_uid):
        series = [
            _series(series_uid, list(of_series))
            for series_uid, of_series in groupby(of_study, key=lambda item: item.series_uid)
        ]
        if study_uid == result.StudyInstanceUID:
            result.ReferencedSeriesSequence.extend(series)
        else:
            _other_study(result, study_uid, series)


def _reference(predecessor: Predecessor, *, with_purpose: bool = False) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = KINDS[predecessor.kind].sop_class_uid
    item.ReferencedSOPInstanceUID = predecessor.sop_instance_uid
    if with_purpose:
        kind = KINDS[predecessor.kind]
        meaning = REPLACED_MEANING if kind.group == SEGMENTATION else _OTHER_MEANING
        purpose = CodedConcept(REPLACED, LOCAL_SCHEME, meaning, "1")
        item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def _series(series_uid: str, members: Sequence[Predecessor]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = series_uid
    item.ReferencedInstanceSequence = [_reference(member) for member in members]
    return item


def _other_study(result: Dataset, study_uid: str, series: list[Dataset]) -> None:
    item = Dataset()
    item.StudyInstanceUID = study_uid
    item.ReferencedSeriesSequence = series
    others = result.get("StudiesContainingOtherReferencedInstancesSequence") or []
    result.StudiesContainingOtherReferencedInstancesSequence = [*others, item]

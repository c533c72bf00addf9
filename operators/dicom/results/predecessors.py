"""The results that a new segmentation object replaces, named in the object itself.

Late slices or corrected headers give a new object; the old one stays where it was sent. DICOM has
no attribute of the Segmentation IOD for this relation and no standard code for it. Every result
is a series of its own, so the replaced one is named as a related series, with a purpose of our own
scheme.

A reference to the old *instance* would have to be repeated in Referenced Series Sequence (Common
Instance Reference, Type 1C), and viewers look there for the image to lay a segmentation on: OHIF
takes whichever of the listed series it read first, and shows nothing if that is the old
segmentation (decision 0006).

References
----------
DICOM PS3.3 C.7.3.1 (General Series: Related Series Sequence), C.12.2 (Common Instance Reference),
PS3.16 CID 7210 (purposes of reference of related series; extensible).
"""

from __future__ import annotations

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
        Gets Related Series Sequence, one item per series, in this study or another one.
    replaced : sequence of Predecessor
        Of the same kind as `result`; none changes nothing.
    """
    ordered = sorted(replaced, key=lambda item: (item.study_uid, item.series_uid))
    related = {(item.study_uid, item.series_uid): _related(item) for item in ordered}
    if related:
        result.RelatedSeriesSequence = list(related.values())


def _related(predecessor: Predecessor) -> Dataset:
    kind = KINDS[predecessor.kind]
    meaning = REPLACED_MEANING if kind.group == SEGMENTATION else _OTHER_MEANING
    item = Dataset()
    item.StudyInstanceUID = predecessor.study_uid
    item.SeriesInstanceUID = predecessor.series_uid
    item.PurposeOfReferenceCodeSequence = [CodedConcept(REPLACED, LOCAL_SCHEME, meaning, "1")]
    return item

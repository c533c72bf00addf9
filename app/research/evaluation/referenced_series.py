"""Which series a mask was made of, as the mask itself says; file names are somebody's choice.

A DICOM SEG references its series; beside a NIfTI mask of a cohort a JSON names it.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pydicom
from pydicom.uid import SegmentationStorage

from app.research.evaluation.segment_names import segment_name
from operators.dicom.headers.normal_header import PARSE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from app.research.evaluation.mask_files import MaskKind

SERIES_KEY: Final = "SeriesInstanceUID"
"""Key of the JSON beside a mask."""

_KEYWORDS: Final = ["SOPClassUID", "ReferencedSeriesSequence", "SegmentSequence"]
_INSTANCE_WORDS: Final = ("vertebra ", "disc ", "endplates ")


def series_of(path: Path) -> str:
    """Series Instance UID of the images that a mask was made of; empty where it does not say.

    Parameters
    ----------
    path : Path
        A DICOM SEG, or a NIfTI mask with a JSON of the same name beside it.
    """
    if path.suffix == ".dcm":
        header = _header(path)
        items = [] if header is None else header.get("ReferencedSeriesSequence") or []
        uids = {str(item.get("SeriesInstanceUID", "")) for item in items}
        return uids.pop() if len(uids) == 1 else ""
    beside = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    try:
        document: Any = json.loads(beside.read_text("utf-8"))
        found = document.get(SERIES_KEY, "")
    except (OSError, ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""


def object_kind(path: Path) -> MaskKind | None:
    """Tell what a DICOM SEG holds by the labels of its segments; None for any other file."""
    header = _header(path)
    if header is None or header.get("SOPClassUID") != SegmentationStorage:
        return None
    labels = [segment_name(item) for item in header.get("SegmentSequence") or []]
    return "instances" if any(s.startswith(_INSTANCE_WORDS) for s in labels) else "semantic"


def without_twins(made_of: Mapping[str, str], objects: Collection[str]) -> dict[str, str]:
    """Leave out the SEG objects of a series whose masks lie beside them as NIfTI (`cohort`).

    Parameters
    ----------
    made_of : mapping of str to str
        Case to Series Instance UID; empty where unknown.
    objects : collection of str
        The cases that are SEG objects.

    Returns
    -------
    dict of str to str
        The other cases.
    """
    as_nifti = {uid for case, uid in made_of.items() if uid and case not in objects}
    return {
        case: uid for case, uid in made_of.items() if case not in objects or uid not in as_nifti
    }


def partners_by_series(truths: Mapping[str, str], guesses: Mapping[str, str]) -> dict[str, str]:
    """Pair cases of one series.

    Parameters
    ----------
    truths, guesses : mapping of str to str
        Case to Series Instance UID; empty where unknown.

    Returns
    -------
    dict of str to str
        Case of the first to case of the second mapping, where the series has one case in each.
    """
    ours, theirs = _by_series(truths.items()), _by_series(guesses.items())
    return {ours[uid]: theirs[uid] for uid in ours.keys() & theirs.keys()}


def _by_series(cases: Iterable[tuple[str, str]]) -> dict[str, str]:
    pairs = [(uid, case) for case, uid in cases if uid]
    counts = Counter(uid for uid, _ in pairs)
    return {uid: case for uid, case in pairs if counts[uid] == 1}


def _header(path: Path) -> pydicom.Dataset | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings may quote patient data
            return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_KEYWORDS))
    except PARSE_ERRORS:
        return None

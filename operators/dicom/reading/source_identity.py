"""Whether image planes say which objects they are, of one series of one study of one patient.

A result points back at every source instance and joins its study; what cannot be pointed at is
refused before anything is computed. Pixels and geometry are judged elsewhere.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from operators.dicom.headers.header_values import numbers, texts
from operators.dicom.reading.regularity import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydicom.dataset import Dataset

    from operators.dicom.reading.frames import Frame

_REQUIRED: dict[str, str] = {
    "missing_study_uid": "StudyInstanceUID",
    "missing_series_uid": "SeriesInstanceUID",
    "missing_sop_instance_uid": "SOPInstanceUID",
    "missing_sop_class_uid": "SOPClassUID",
}
"""What a result refers to (PS3.3 C.12.4, General Reference); without it, it points nowhere."""

_SHARED: dict[str, tuple[str, ...]] = {
    "mixed_study": ("StudyInstanceUID",),
    "mixed_series": ("SeriesInstanceUID",),
    "mixed_patient": ("PatientID", "PatientName"),
}
"""What all planes of a series agree on; the second attribute only where the first is empty."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_MAX_UID_LENGTH = 64
"""PS3.5 9.1. A component with a leading zero breaks that clause as well, but names the object in
every archive that holds it, so it passes."""


def identity_findings(frames: Sequence[Frame]) -> tuple[Finding, ...]:
    """Name everything that keeps a result from pointing back at its source images.

    Parameters
    ----------
    frames : sequence of Frame
        Of one series.

    Returns
    -------
    tuple of Finding
        Names: missing_study_uid, missing_series_uid, missing_sop_instance_uid,
        missing_sop_class_uid, invalid_uid, mixed_study, mixed_series, mixed_patient,
        repeated_sop_instance_uid (one UID on images of several places), conflicting_copies (the
        same image twice with other content).
    """
    return (*_missing(frames), *_invalid(frames), *_mixed(frames), *_repeated(frames))


def _missing(frames: Sequence[Frame]) -> Iterator[Finding]:
    for name, keyword in _REQUIRED.items():
        count = sum(not _first(frame.header, keyword) for frame in frames)
        if count:
            yield Finding(name, f"{count} of {len(frames)} images")


def _invalid(frames: Sequence[Frame]) -> Iterator[Finding]:
    broken = [
        keyword
        for keyword in _REQUIRED.values()
        if not all(_is_uid(_first(frame.header, keyword)) for frame in frames)
    ]
    if broken:
        yield Finding("invalid_uid", ", ".join(broken))


def _mixed(frames: Sequence[Frame]) -> Iterator[Finding]:
    for name, (keyword, *instead) in _SHARED.items():
        said = {_first(frame.header, keyword) for frame in frames}
        if said == {""}:
            said = {_first(frame.header, other) for other in instead for frame in frames}
        if len(said) > 1:
            yield Finding(name, f"{len(said)} different values of {keyword}")


def _repeated(frames: Sequence[Frame]) -> Iterator[Finding]:
    """One image is one instance, or one frame of it (PS3.3 C.12.1.1.1)."""
    places: dict[tuple[str, int | None], list[tuple[float, ...]]] = defaultdict(list)
    for frame in frames:
        uid = _first(frame.header, "SOPInstanceUID")
        if uid:
            places[uid, frame.frame_number].append(numbers(frame.header, "ImagePositionPatient"))
    several = [found for found in places.values() if len(found) > 1]
    apart = sum(len(set(found)) > 1 for found in several)
    if apart:
        detail = f"{apart} UIDs stand on images of several places"
        yield Finding("repeated_sop_instance_uid", detail)
    if len(several) > apart:
        yield Finding("conflicting_copies", f"{len(several) - apart} images differ from a copy")


def _first(header: Dataset, keyword: str) -> str:
    return next(iter(texts(header, keyword)), "")


def _is_uid(text: str) -> bool:
    return not text or (len(text) <= _MAX_UID_LENGTH and bool(_UID.fullmatch(text)))

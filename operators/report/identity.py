"""Whose images a report is about, as the page shows it, and what it was made from.

A kept report must say whose it is: name, number, date of birth, study. It comes from the header
that the DICOM object carries anyway, goes onto the page, and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.imaging.curved_view import SAGITTAL
from operators.imaging.orientation import reorient

if TYPE_CHECKING:
    from datetime import datetime

    from pydicom.dataset import Dataset

    from operators.imaging.volume import Volume

PATIENT, PATIENT_ID, IMAGE = "Patient", "Patient ID", "Image"
"""Labels of what stands on every page."""

_LONGEST: Final = 80
"""Characters of one value: a name may have 64 in each of its five parts."""


def identity_of(
    header: Dataset | None, key: str, stack: str = "", description: str = ""
) -> tuple[tuple[str, str], ...]:
    """Name the patient, the study and the series; the image alone where it is not from DICOM.

    Parameters
    ----------
    header : Dataset or None
        Of any object with the patient and study of the images.
    key : str
        Of the case, as the names of its files have it.
    stack : str
        Which stack of the series; empty for an only one.
    description : str
        What the scanner calls the series.

    Returns
    -------
    tuple of (str, str)
        Label and value; values that the header lacks are empty.

    Examples
    --------
    >>> from pydicom.dataset import Dataset
    >>> header = Dataset()
    >>> header.PatientName, header.PatientBirthDate = "Doe^Jane^^Dr", "19570228"
    >>> identity_of(header, "series2_ab12")[0], identity_of(header, "series2_ab12")[2]
    (('Patient', 'Doe, Jane Dr'), ('Born, sex', '1957-02-28'))
    >>> identity_of(None, "sub-07_T2w")
    (('Image', 'sub-07_T2w'),)
    """
    if header is None:
        return ((IMAGE, key),)
    born = _joined(_date(header, "PatientBirthDate"), _text(header, "PatientSex"))
    accession = _text(header, "AccessionNumber")
    study = _joined(_date(header, "StudyDate"), accession and f"accession {accession}")
    return (
        (PATIENT, _name(header)),
        (PATIENT_ID, _text(header, "PatientID")),
        ("Born, sex", born),
        ("Study", study),
        ("Series", _joined(description.strip()[:_LONGEST], key, stack)),
    )


def time_text(header: Dataset | None, clock: datetime) -> str:
    """When a result was made: in the time zone of its images where they state one."""
    if header is None:
        return clock.isoformat(sep=" ", timespec="seconds")
    time = _text(header, "ContentTime")
    return f"{_date(header, 'ContentDate')} {time[:2]}:{time[2:4]}"


def source_text(volume: Volume, series_uid: str = "") -> str:
    """Say how finely the image was sampled, and which series it is.

    Parameters
    ----------
    volume : Volume
        The source image, any orientation.
    series_uid : str
        Of a DICOM source.
    """
    step, down, across = reorient(volume, SAGITTAL).spacing_zyx_mm
    slices = reorient(volume, SAGITTAL).voxels_zyx.shape[0]
    text = f"{slices} sagittal slices, {step:.1f} mm apart, pixels {down:.2f} x {across:.2f} mm"
    return f"{text}; series {series_uid}" if series_uid else text


def _name(header: Dataset) -> str:
    """Patient's name in its alphabetic form (PS3.5 6.2.1), else in the form there is."""
    name = header.get("PatientName")
    if not name:
        return ""
    form = str(name).split("=", maxsplit=1)[0] or str(name).strip("=").split("=", maxsplit=1)[0]
    family, *others = form.split("^")
    return _joined(family.strip(), " ".join(part.strip() for part in others if part.strip()))


def _date(header: Dataset, keyword: str) -> str:
    text = _text(header, keyword)
    if len(text) != len("YYYYMMDD") or not text.isdecimal():
        return text
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"


def _text(header: Dataset, keyword: str) -> str:
    return str(header.get(keyword) or "").strip()[:_LONGEST]


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)[:_LONGEST]

"""Which study and series a file belongs to, read by three attributes: for folders of many studies.

Reading whole headers, as `reading.series` does, takes four times as long and keeps them
all; here a file costs a name.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pydicom
from pydicom.uid import MediaStorageDirectoryStorage

from operators.dicom.headers.normal_header import PARSE_ERRORS
from operators.dicom.identity.uids import digest
from operators.dicom.reading.series import looks_like_dicom

if TYPE_CHECKING:
    from pathlib import Path

_KEYWORDS: Final = ["StudyInstanceUID", "SeriesInstanceUID", "PatientID"]


@dataclass(frozen=True, slots=True)
class Belonging:
    """Where a DICOM file belongs.

    Attributes
    ----------
    study_uid, series_uid : str
        As the file says; empty where it doesn't.
    patient_digest : str
        Tells one patient from another, and names nobody.
    """

    study_uid: str
    series_uid: str
    patient_digest: str


def belonging_of(path: Path) -> Belonging | None:
    """Read where a file belongs.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    Belonging or None
        None for what is no readable DICOM instance, and for a DICOMDIR.
    """
    try:
        if not looks_like_dicom(path):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings may quote patient data
            header = pydicom.dcmread(
                path, stop_before_pixels=True, force=True, specific_tags=list(_KEYWORDS)
            )
            if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
                return None
            study, series, patient = (str(header.get(word) or "").strip() for word in _KEYWORDS)
    except PARSE_ERRORS:
        return None
    return Belonging(study, series, digest([patient]))

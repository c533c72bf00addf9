"""DICOM files that exist completely or not at all.

A folder that others watch never shows half an object under its final name, also not after a power
cut. What is in the object is not looked at.
"""

from __future__ import annotations

import os
import warnings
from io import BytesIO
from typing import TYPE_CHECKING

from pydicom import dcmwrite

from operators.dicom.reading.durable import sync
from operators.errors import EncodingError

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

SUFFIX = ".dcm"


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write a dataset as a DICOM file, whole.

    Parameters
    ----------
    dataset : Dataset
        With file meta information.
    path : Path
        Ends in ``.dcm``; its folder exists. A file that is there is replaced at once.

    Raises
    ------
    EncodingError
        If the name does not end in ``.dcm``, the dataset cannot be encoded or the disk refuses.

    Notes
    -----
    Temporary file in the same folder, fsync of the file, rename, fsync of the folder.
    """
    if path.suffix != SUFFIX:
        raise EncodingError("the file name must end in .dcm", reasons=("file_name",))
    temporary = path.with_name(f".{path.name}.part")
    try:
        content = _encode(dataset)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        temporary.unlink(missing_ok=True)
        reason = "disk" if isinstance(error, OSError) else "not_encodable"
        raise EncodingError("the DICOM file could not be written", reasons=(reason,)) from error


def _encode(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings may quote patient data
        dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()

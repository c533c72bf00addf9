"""Headers of slices, one by one: the bricks of tests that need no pixels and no files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset

from operators.dicom.reading.series import Frame, SeriesRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"

AXES = {
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}
"""Direction of rows and columns, LPS."""


def series_of(headers: Iterable[Dataset], uid: str = "1.2.3.0.1") -> SeriesRecord:
    """Make a series of given headers."""
    frames = tuple(Frame(Path(f"{i}.dcm"), None, header) for i, header in enumerate(headers))
    return SeriesRecord(uid, uid.rsplit(".", 1)[0], frames)


def header(**attributes: object) -> Dataset:
    """Make one header; None leaves an attribute out."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def changed(item: Dataset, **changes: object) -> Dataset:
    """Copy a header with other values; None leaves an attribute out."""
    copy = Dataset(dict(item.items()))
    for keyword, value in changes.items():
        copy.pop(keyword, None)
        if value is not None:
            setattr(copy, keyword, value)
    return copy


def t2_headers(slices: int = 11, **changes: object) -> list[Dataset]:
    """Headers of a plain sagittal T2 TSE series of the lumbar spine, with changes to all slices."""
    plain: dict[str, object] = {
        "SOPClassUID": MR_IMAGE,
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "NORM"],
        "ScanningSequence": "SE",
        "SequenceVariant": ["SK", "SP"],
        "MRAcquisitionType": "2D",
        "EchoTime": 100.0,
        "RepetitionTime": 3500.0,
        "EchoTrainLength": 15,
        "FlipAngle": 150.0,
        "SliceThickness": 4.0,
        "PixelSpacing": [0.7, 0.7],
        "Rows": 400,
        "Columns": 400,
    }
    return [
        header(**{**plain, **place("sagittal", 0.0, 4.4 * i), **changes}) for i in range(slices)
    ]


def place(plane: str, tilt_deg: float, offset_mm: float) -> dict[str, object]:
    """Place a slice: tilted (axial about x, others about z), then moved along its normal."""
    turn = math.radians(tilt_deg)
    cos, sin = math.cos(turn), math.sin(turn)
    about_z = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    rotation = about_x if plane == "axial" else about_z
    row, column = (rotation @ np.array(axis) for axis in AXES[plane])
    position = np.cross(row, column) * offset_mm + np.array([-30.0, -120.0, 150.0])
    return {
        "ImageOrientationPatient": [round(float(v), 6) for v in (*row, *column)],
        "ImagePositionPatient": [round(float(v), 3) for v in position],
    }

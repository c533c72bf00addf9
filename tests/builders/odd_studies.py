"""Studies as the world really sends them, each with what has to become of it.

Every one is a sagittal T2w series of 12 slices (`tests.builders.stub_models.spine_series`) with one
oddity that people report in public. "Segmented" means both objects per stack; "refused" names
where: by the selection, or by the assembly (exit code 12).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import EnhancedMRImageStorage, generate_uid

from tests.builders.stub_models import spine_series


@dataclass(frozen=True, kw_only=True)
class OddStudy:
    """One study, written by `write(folder)`.

    `stacks`: pairs of objects to come of it. `reason`: why there are none, as folder, record and
    page must name it. `code`: exit code of `run`. `on_arrival`: how many objects the listener puts
    aside because their data sets do not say what they are.
    """

    write: Callable[[Path, str], None]
    stacks: int = 0
    reason: str = ""
    code: int = 0
    on_arrival: int = 0


def plain(folder: Path, name: str, **changes: object) -> tuple[Path, ...]:
    """The series without an oddity, in a study of its own."""
    return spine_series(folder, name=name, study=f"study {name}", **changes).paths


def edited(
    change: Callable[[Dataset, int], None], **changes: object
) -> Callable[[Path, str], None]:
    """Write the series, then let `change(data set, slice)` spoil every file."""

    def write(folder: Path, name: str) -> None:
        for number, path in enumerate(plain(folder, name, **changes)):
            dataset = pydicom.dcmread(path)
            change(dataset, number)
            dataset.save_as(path)

    return write


def raw(dataset: Dataset, keyword: str, vr: str, value: bytes) -> None:
    """An element with bytes that its VR may not hold."""
    tag = Tag(keyword)
    padded = value + b" " * (len(value) % 2)
    dataset._dict[tag] = RawDataElement(tag, vr, len(padded), padded, 0, False, True)


def padded_outside_a_circle(value: int, *, signed: bool) -> Callable[[Path, str], None]:
    def change(dataset: Dataset, _number: int) -> None:
        rows, columns = np.mgrid[: dataset.Rows, : dataset.Columns]
        middle = ((dataset.Rows - 1) / 2, (dataset.Columns - 1) / 2)
        outside = np.hypot(rows - middle[0], columns - middle[1]) > max(middle)
        values = np.where(outside, value, dataset.pixel_array.astype(np.int32))
        dataset.BitsStored, dataset.HighBit = 16, 15
        dataset.PixelRepresentation = int(signed)
        dataset.PixelData = values.astype("<i2" if signed else "<u2").tobytes()
        dataset.add_new("PixelPaddingValue", "SS" if signed else "US", value)

    return edited(change)


def without_echo_time(dataset: Dataset, _number: int) -> None:
    dataset.EchoTime = None


def comma_stir(dataset: Dataset, _number: int) -> None:
    raw(dataset, "InversionTime", "DS", b"160,0")


def comma_slope(dataset: Dataset, _number: int) -> None:
    raw(dataset, "RescaleSlope", "DS", b"1,25")
    raw(dataset, "RescaleIntercept", "DS", b"0")


def unreadable_slope(dataset: Dataset, _number: int) -> None:
    raw(dataset, "RescaleSlope", "DS", b"about 1")


def unreadable_echo_time(dataset: Dataset, _number: int) -> None:
    raw(dataset, "EchoTime", "DS", b"long")


def excess_padding(dataset: Dataset, _number: int) -> None:
    dataset.PixelData += bytes(512 - len(dataset.PixelData) % 512)


def spacing_as_text(dataset: Dataset, _number: int) -> None:
    raw(dataset, "PixelSpacing", "UT", b"1.5\\1.5")


def rounded_cosines(dataset: Dataset, _number: int) -> None:
    dataset.ImageOrientationPatient = [round(v, 2) for v in dataset.ImageOrientationPatient]


def repeated_instance_uid(dataset: Dataset, number: int) -> None:
    if number:
        uid = generate_uid(entropy_srcs=[dataset.SeriesInstanceUID, "one for all"])
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid


def no_study_uid(dataset: Dataset, _number: int) -> None:
    del dataset.StudyInstanceUID


def constant(dataset: Dataset, _number: int) -> None:
    dataset.PixelData = np.full(len(dataset.PixelData) // 2, 77, "<u2").tobytes()


def own_series_each(dataset: Dataset, number: int) -> None:
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[dataset.SeriesInstanceUID, str(number)])


def knee_in_every_text(dataset: Dataset, _number: int) -> None:
    dataset.BodyPartExamined = "KNEE"
    dataset.StudyDescription = "MR Knie links"
    dataset.SeriesDescription = "t2_tse_sag knee"
    dataset.ProtocolName = "knee routine"
    dataset.RequestedProcedureDescription = "MRI of the left knee"


def two_stations(folder: Path, name: str) -> None:
    upper = plain(folder / "upper", name)
    for number, path in enumerate(upper):
        dataset = pydicom.dcmread(path)
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, z + 300]
        dataset.AcquisitionNumber = 2
        uid = generate_uid(entropy_srcs=[dataset.SOPInstanceUID, "upper", str(number)])
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.save_as(path)
    plain(folder / "lower", name)


def whole(**changes: object) -> Callable[[Path, str], None]:
    def write(folder: Path, name: str) -> None:
        plain(folder, name, **changes)

    return write


STUDIES: dict[str, OddStudy] = {
    "nothing odd": OddStudy(write=whole(), stacks=1),
    "enhanced": OddStudy(write=whole(sop_class=EnhancedMRImageStorage), stacks=1),
    "padding -2000": OddStudy(write=padded_outside_a_circle(-2000, signed=True), stacks=1),
    "padding 65535": OddStudy(write=padded_outside_a_circle(65535, signed=False), stacks=1),
    "two echoes, no echo time": OddStudy(
        write=edited(without_echo_time, echo_times=(20.0, 100.0)), stacks=1
    ),
    "inversion time 160,0": OddStudy(
        write=edited(comma_stir), reason="short_inversion_time", code=11
    ),
    "slope 1,25": OddStudy(write=edited(comma_slope), stacks=1),
    "slope in words": OddStudy(write=edited(unreadable_slope), reason="invalid_rescale", code=12),
    "echo time in words": OddStudy(
        write=edited(unreadable_echo_time), reason="unreadable_echo_time", code=11
    ),
    "excess padding": OddStudy(write=edited(excess_padding), stacks=1),
    "spacing as text": OddStudy(write=edited(spacing_as_text), stacks=1),
    "cosines of two decimals": OddStudy(write=edited(rounded_cosines), stacks=1),
    "one instance UID on all slices": OddStudy(
        write=edited(repeated_instance_uid), reason="repeated_sop_instance_uid", code=12
    ),
    "no study UID": OddStudy(
        write=edited(no_study_uid), reason="missing_study_uid", code=12, on_arrival=12
    ),
    "constant image": OddStudy(write=edited(constant), reason="constant_image", code=12),
    "a series per slice": OddStudy(
        write=edited(own_series_each), reason="acquisition_split_over_series", code=12
    ),
    "a knee in every text": OddStudy(
        write=edited(knee_in_every_text), reason="other_body_part", code=11
    ),
    "two stations": OddStudy(write=two_stations, stacks=2),
    "missing slice": OddStudy(write=whole(missing=(5,)), reason="missing_slice", code=12),
}

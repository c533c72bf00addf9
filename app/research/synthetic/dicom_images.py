"""Write one synthetic series as classic MR Image instances (Explicit VR Little Endian)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from operators.dicom.identity.uids import derived_uid

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.imaging.volume import Volume

_GREY_LEVELS_OF_CSF = 900.0
_BITS = 12
_DATE, _TIME = "20240101", "120000"


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a series says that it was measured.

    Attributes
    ----------
    description : str
        SeriesDescription and ProtocolName.
    number : int
        SeriesNumber.
    sequence, variant : tuple of str
        ScanningSequence and SequenceVariant (DICOM PS3.3 C.8.3.1).
    repetition_time, echo_time : float
        In ms.
    echo_train : int
        EchoTrainLength.
    inversion_time : float or None
        In ms.
    image_type : tuple of str
        What follows ORIGINAL, PRIMARY in ImageType.
    body_part : str
        BodyPartExamined.
    """

    description: str
    number: int
    sequence: tuple[str, ...]
    variant: tuple[str, ...]
    repetition_time: float
    echo_time: float
    echo_train: int
    inversion_time: float | None
    image_type: tuple[str, ...] = ("M", "ND")
    body_part: str = "LSPINE"


@dataclass(frozen=True, slots=True)
class Stack:
    """A series, or a part of one: its protocol and its slices (CSF about 1)."""

    protocol: Protocol
    volume: Volume


def series_uid_of(seed: int, protocol: Protocol) -> str:
    """Series Instance UID of a protocol's series in the study of a seed."""
    return derived_uid("synthetic", str(seed), "series", str(protocol.number))


def _study_part(seed: int) -> Dataset:
    """Attributes shared by all instances of the study."""
    head = Dataset()
    head.SpecificCharacterSet = "ISO_IR 192"
    head.PatientName = "SYNTHETIC^LUMBAR"
    head.PatientID = f"SYNTHETIC-{seed}"
    head.PatientBirthDate = "19700101"
    head.PatientSex = "O"
    head.StudyInstanceUID = derived_uid("synthetic", str(seed), "study")
    head.StudyDate = head.SeriesDate = head.AcquisitionDate = head.ContentDate = _DATE
    head.StudyTime = head.SeriesTime = head.AcquisitionTime = head.ContentTime = _TIME
    head.StudyID = str(seed)
    head.StudyDescription = "Synthetic lumbar spine"
    head.AccessionNumber = ""
    head.ReferringPhysicianName = ""
    head.Manufacturer = "Synthetic"
    head.ManufacturerModelName = "Parametric phantom"
    head.SoftwareVersions = "1"
    head.Modality = "MR"
    head.MagneticFieldStrength = 1.5
    head.PatientPosition = "HFS"
    head.FrameOfReferenceUID = derived_uid("synthetic", str(seed), "frame of reference")
    head.PositionReferenceIndicator = ""
    return head


def series_part(stack: Stack, seed: int) -> Dataset:
    """Attributes shared by all instances of the series, as a classic MR image has them."""
    protocol = stack.protocol
    head = _study_part(seed)
    head.SOPClassUID = MRImageStorage
    head.SeriesInstanceUID = series_uid_of(seed, protocol)
    head.SeriesNumber = protocol.number
    head.SeriesDescription = head.ProtocolName = protocol.description
    head.ImageType = ["ORIGINAL", "PRIMARY", *protocol.image_type]
    head.BodyPartExamined = protocol.body_part
    head.ScanningSequence = list(protocol.sequence)
    head.SequenceVariant = list(protocol.variant)
    head.ScanOptions = ""
    head.MRAcquisitionType = "2D"
    head.RepetitionTime = protocol.repetition_time
    head.EchoTime = protocol.echo_time
    head.EchoTrainLength = protocol.echo_train
    head.FlipAngle = 150.0
    head.NumberOfAverages = 1
    if protocol.inversion_time is not None:
        head.InversionTime = protocol.inversion_time
    slice_mm, row_mm, column_mm = stack.volume.spacing_zyx_mm
    head.SpacingBetweenSlices = round(slice_mm, 4)
    head.SliceThickness = round(slice_mm / 1.1, 4)
    head.PixelSpacing = [round(row_mm, 5), round(column_mm, 5)]
    return head


def _pixel_part(head: Dataset, pixels: NDArray[np.uint16]) -> None:
    head.SamplesPerPixel = 1
    head.PhotometricInterpretation = "MONOCHROME2"
    head.Rows, head.Columns = pixels.shape
    head.BitsAllocated, head.BitsStored, head.HighBit = 16, _BITS, _BITS - 1
    head.PixelRepresentation = 0
    head.WindowCenter = _GREY_LEVELS_OF_CSF / 2
    head.WindowWidth = _GREY_LEVELS_OF_CSF
    head.PixelData = pixels.astype("<u2").tobytes()


def slice_place(stack: Stack, k: int) -> tuple[list[float], list[float]]:
    """Image Orientation (Patient) and Image Position (Patient) of slice `k`, LPS, mm."""
    affine = stack.volume.affine_lps
    along_row, along_column = (affine[:3, n] / np.linalg.norm(affine[:3, n]) for n in (2, 1))
    orientation = [round(float(x), 8) for x in (*along_row, *along_column)]
    corner = affine @ np.array([k, 0.0, 0.0, 1.0])
    return orientation, [round(float(x), 5) for x in corner[:3]]


def grey_levels(stack: Stack, k: int) -> NDArray[np.uint16]:
    """Give the stored values of slice `k`, 12 bits, (rows, columns)."""
    levels = np.rint(stack.volume.voxels_zyx[k] * _GREY_LEVELS_OF_CSF)
    stored: NDArray[np.uint16] = np.clip(levels, 0, 2**_BITS - 1).astype(np.uint16)
    return stored


def _instance(stack: Stack, k: int, seed: int, part: int) -> Dataset:
    image = series_part(stack, seed)
    name = ("synthetic", str(seed), "instance", str(part), str(k))
    image.SOPInstanceUID = UID(derived_uid(*name))
    image.InstanceNumber = 100 * part + k + 1 if "LOCALIZER" in image.ImageType else k + 1
    image.AcquisitionNumber = 1
    image.ImageOrientationPatient, image.ImagePositionPatient = slice_place(stack, k)
    _pixel_part(image, grey_levels(stack, k))
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = MRImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.ImplementationClassUID = UID(derived_uid("synthetic", "implementation"))
    return image


def write_stack(
    stack: Stack, folder: Path, *, seed: int, part: int, rng: np.random.Generator
) -> list[Path]:
    """Write the slices of one stack.

    Parameters
    ----------
    stack : Stack
        What to write.
    folder : Path
        Created if needed.
    seed : int
        Of the study; goes into every identifier.
    part : int
        Number of the stack in the study; two stacks may belong to one series.
    rng : numpy Generator
        Shuffles the file names.

    Returns
    -------
    list of Path
        Files in slice order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = stack.volume.voxels_zyx.shape[0]
    names = rng.permutation(count)
    files = []
    for k in range(count):
        path = folder / f"{part}{names[k]:04d}.dcm"
        dcmwrite(path, _instance(stack, k, seed, part), enforce_file_format=True)
        files.append(path)
    return files

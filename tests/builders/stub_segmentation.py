"""Small DICOM Segmentation objects that follow from the objects of a job alone.

What a store needs to file them, not what a viewer needs to show them: 8 x 8 empty pixels. A
series whose description says `stub-refuse` or `stub-crash` gets just that.
"""

from __future__ import annotations

import hashlib
import os
import signal

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from app.node.inference.protocol import Request
from app.run.record import ErrorRecord, ResultRecord, SeriesRecordEntry
from operators.dicom.identity.uids import derived_uid, digest
from operators.dicom.reading.whole_files import write_dataset
from operators.errors import GeometryError

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
COPIED = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDescription",
)


def write_results(request: Request) -> ResultRecord:
    """Two objects for the series in the folder, or a refusal where it is empty."""
    files = sorted(path for path in request.source.rglob("*") if path.is_file())
    if not files:
        return refusal()
    contents = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    named = sorted(predecessor.sop_instance_uid for predecessor in request.predecessors)
    key = digest((*contents, *named))
    source = pydicom.dcmread(files[0], stop_before_pixels=True)
    description = str(source.get("SeriesDescription", ""))
    if "stub-refuse" in description:
        return refusal()
    if "stub-crash" in description:
        os.kill(os.getpid(), signal.SIGSEGV)
    request.output.mkdir(parents=True, exist_ok=True)
    names = []
    for kind in ("semantic", "instances"):
        dataset = segmentation(source, f"{key} {kind}", request)
        dataset.SeriesDescription = f"SPINEPS {kind}"
        replaced = [item for item in request.predecessors if item.kind == kind][:1]
        if replaced:
            # Not at the top: it loads highdicom.
            from operators.dicom.results.predecessors import name_predecessors  # noqa: PLC0415

            name_predecessors(dataset, replaced)
        names.append(f"series1_{digest([str(source.SeriesInstanceUID)])[:8]}_{kind}.dcm")
        write_dataset(dataset, request.output / names[-1])
    return ResultRecord(
        status="ok",
        exit_code=0,
        series=(
            SeriesRecordEntry(
                key=names[0].removesuffix("_semantic.dcm"),
                status="ok",
                files=tuple(names),
                vertebrae=5,
                volumes_ml={"corpus_border": 100.0},
            ),
        ),
        profile="stub",
    )


def refusal() -> ResultRecord:
    error = GeometryError("the stub found no object", reasons=("missing_slice",))
    return ResultRecord(status="failed", exit_code=12, error=ErrorRecord.of(error))


def segmentation(source: Dataset, key: str, request: Request) -> Dataset:
    """One 8 x 8 frame: what a store needs to file it, not what a viewer needs to show it."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    for keyword in COPIED:
        if keyword in source:
            dataset[keyword] = source[keyword]
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID = SEGMENTATION_STORAGE
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = derived_uid(key, "instance")
    dataset.SeriesInstanceUID = derived_uid(key, "series")
    dataset.Modality = "SEG"
    dataset.Manufacturer, dataset.ManufacturerModelName = "SPINEPS Node project", "SPINEPS Node"
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.NumberOfFrames = 901, 1, 1
    dataset.ContentDate = dataset.SeriesDate = request.started.strftime("%Y%m%d")
    dataset.ContentTime = dataset.SeriesTime = request.started.strftime("%H%M%S.%f")
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 1, 1, 0
    dataset.PixelRepresentation, dataset.SegmentationType = 0, "BINARY"
    dataset.PixelData = bytes(8)
    referenced = Dataset()
    referenced.SeriesInstanceUID = source.SeriesInstanceUID
    referenced.ReferencedInstanceSequence = []
    dataset.ReferencedSeriesSequence = [referenced]
    return dataset

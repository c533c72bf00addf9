"""MR headers and pixel encodings for made series: classic, Enhanced, Legacy Converted Enhanced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

from tests.builders.mr_phantom import (
    Plane,
    SeriesOptions,
    position,
    rescale,
    spacing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def _header(options: SeriesOptions, instance: str) -> Dataset:
    """Everything that classic and multi-frame headers share."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = options.sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid(
        entropy_srcs=[options.study, options.name, instance]
    )
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    dataset = Dataset()
    dataset.file_meta = meta
    values: dict[str, object] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D"],
        "SOPClassUID": options.sop_class,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyDate": "20240311",
        "SeriesDate": "20240311",
        "AcquisitionDate": "20240311",
        "ContentDate": "20240311",
        "StudyTime": "101500",
        "SeriesTime": "101730",
        "AcquisitionTime": "101731",
        "ContentTime": "101800",
        "AccessionNumber": "A1",
        "Modality": "MR",
        "Manufacturer": "SIEMENS",
        "ManufacturerModelName": "Avanto",
        "DeviceSerialNumber": "1",
        "SoftwareVersions": "syngo MR B17",
        "InstitutionName": "Phantom Hospital",
        "ReferringPhysicianName": "",
        "StudyDescription": "LSpine",
        "SeriesDescription": "t2_tse_sag",
        "ProtocolName": "t2_tse_sag",
        "PatientName": "Phantom^Lumbar",
        "PatientID": f"P-{options.study}",
        "PatientBirthDate": "19700101",
        "PatientSex": "O",
        "PatientAge": "054Y",
        "BodyPartExamined": "LSPINE",
        "MagneticFieldStrength": 1.5,
        "MRAcquisitionType": "2D",
        "StudyInstanceUID": generate_uid(entropy_srcs=[options.study]),
        "SeriesInstanceUID": generate_uid(entropy_srcs=[options.study, options.name]),
        "StudyID": "1",
        "SeriesNumber": 3,
        "FrameOfReferenceUID": generate_uid(entropy_srcs=[options.study, "frame of reference"]),
        "PositionReferenceIndicator": "",
        "PatientPosition": "HFS",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": options.photometric,
        "Rows": options.rows,
        "Columns": options.columns,
        "BitsAllocated": options.bits_allocated,
        "BitsStored": options.bits_stored,
        "HighBit": options.bits_stored - 1,
        "PixelRepresentation": int(options.signed),
    }
    _set_all(dataset, values)
    return dataset


_CLASSIC_PHYSICS: dict[str, object] = {
    "ScanningSequence": "SE",
    "SequenceVariant": ["SK", "SP", "OSP"],
    "ScanOptions": "PFP",
    "SequenceName": "*tse2d1_17",
    "RepetitionTime": 3500.0,
    "FlipAngle": 150.0,
    "EchoTrainLength": 17,
    "NumberOfAverages": 2.0,
    "ImagedNucleus": "1H",
    "ImagingFrequency": 63.67,
    "PixelBandwidth": 190.0,
    "SliceThickness": 4.0,
    "AcquisitionNumber": 1,
    "Laterality": "",
}

_ENHANCED_PHYSICS: dict[str, object] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "T2", "NONE"],
    "AcquisitionContrast": "T2",
    "ComplexImageComponent": "MAGNITUDE",
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "PulseSequenceName": "*tse2d1_17",
    "EchoPulseSequence": "SPIN",
    "EchoPlanarPulseSequence": "NO",
    "MultipleSpinEcho": "YES",
    "SteadyStatePulseSequence": "NONE",
    "SegmentedKSpaceTraversal": "PARTIAL",
    "ResonantNucleus": "1H",
    "AcquisitionDateTime": "20240311101731",
    "AcquisitionNumber": 1,
    "BurnedInAnnotation": "NO",
    "PresentationLUTShape": "IDENTITY",
}


def _set_all(dataset: Dataset, values: Mapping[str, object]) -> None:
    for keyword, value in values.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)


def classic(options: SeriesOptions, plane: Plane) -> Dataset:
    k = plane.slice_index
    dataset = _header(options, f"instance {plane.number}")
    _set_all(dataset, _CLASSIC_PHYSICS)
    _set_all(
        dataset,
        {
            "EchoTime": options.echo_times[plane.echo],
            "EchoNumbers": plane.echo + 1,
            "InstanceNumber": plane.number,
            "SpacingBetweenSlices": options.slice_distance_mm,
            "SliceLocation": float(k * options.slice_distance_mm),
            "ImagePositionPatient": [round(float(v), 6) for v in position(options, k)],
            "ImageOrientationPatient": [round(v, 9) for v in options.orientation],
            "PixelSpacing": spacing(options, k),
        },
    )
    if options.temporal_positions > 1:
        dataset.TemporalPositionIdentifier = plane.time + 1
        dataset.NumberOfTemporalPositions = options.temporal_positions
    if options.slopes or options.intercepts:
        dataset.RescaleSlope, dataset.RescaleIntercept = rescale(options, k)
        dataset.RescaleType = "US"
    _set_all(dataset, options.tags)
    _set_all(dataset, options.slice_tags.get(k, {}))
    if "PixelData" not in options.slice_tags.get(k, {}):
        _set_pixels(dataset, options, [plane])
    return dataset


def multiframe(options: SeriesOptions, planes: Sequence[Plane]) -> Dataset:
    """One Enhanced or Legacy Converted Enhanced MR object; frame order as the seed says."""
    dataset = _header(options, "multi-frame")
    enhanced = options.sop_class == EnhancedMRImageStorage
    shared = Dataset()
    shared.PlaneOrientationSequence = _item(
        ImageOrientationPatient=[round(v, 9) for v in options.orientation]
    )
    if enhanced:
        _set_all(dataset, _ENHANCED_PHYSICS)
        shared.MRTimingAndRelatedParametersSequence = _item(
            RepetitionTime=3500.0, FlipAngle=150.0, RFEchoTrainLength=17, GradientEchoTrainLength=0
        )
        shared.MRModifierSequence = _item(
            InversionRecovery="NO", Spoiling="NONE", SpectrallySelectedSuppression="NONE"
        )
        shared.MRAveragesSequence = _item(NumberOfAverages=2.0)
    else:
        shared.UnassignedSharedConvertedAttributesSequence = _item(**_CLASSIC_PHYSICS)
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame_groups(options, plane, enhanced=enhanced) for plane in planes
    ]
    dataset.NumberOfFrames = len(planes)
    dataset.InstanceNumber = 1
    _set_all(dataset, options.tags)
    _set_pixels(dataset, options, planes)
    return dataset


def _frame_groups(options: SeriesOptions, plane: Plane, *, enhanced: bool) -> Dataset:
    k = plane.slice_index
    groups = Dataset()
    groups.PlanePositionSequence = _item(
        ImagePositionPatient=[round(float(v), 6) for v in position(options, k)]
    )
    groups.PixelMeasuresSequence = _item(
        PixelSpacing=spacing(options, k),
        SliceThickness=4.0,
        SpacingBetweenSlices=options.slice_distance_mm,
    )
    slope, intercept = rescale(options, k)
    groups.PixelValueTransformationSequence = _item(
        RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US"
    )
    groups.FrameContentSequence = _item(
        StackID="1", InStackPositionNumber=k + 1, TemporalPositionIndex=plane.time + 1
    )
    if enhanced:
        groups.MRImageFrameTypeSequence = _item(
            FrameType=["ORIGINAL", "PRIMARY", "T2", "NONE"],
            ComplexImageComponent="MAGNITUDE",
            AcquisitionContrast="T2",
        )
        groups.MREchoSequence = _item(EffectiveEchoTime=options.echo_times[plane.echo])
    else:
        groups.UnassignedPerFrameConvertedAttributesSequence = _item(
            EchoTime=options.echo_times[plane.echo], EchoNumbers=plane.echo + 1
        )
    return groups


def _item(**values: object) -> DicomSequence:
    item = Dataset()
    _set_all(item, values)
    return DicomSequence([item])


def _set_pixels(dataset: Dataset, options: SeriesOptions, planes: Sequence[Plane]) -> None:
    if "PixelData" in options.tags:
        return
    dataset.PixelData = _pixel_bytes(options, planes)
    dataset["PixelData"].VR = "OB" if options.bits_allocated == 8 else "OW"


def _pixel_bytes(options: SeriesOptions, planes: Sequence[Plane]) -> bytes:
    """Little-endian samples, frame by frame."""
    kind = "i" if options.signed else "u"
    stored = np.stack([plane.stored for plane in planes]).astype(
        f"<{kind}{options.bits_allocated // 8}"
    )
    if options.junk_high_bits:
        bits = stored.view(f"<u{options.bits_allocated // 8}") & ((1 << options.bits_stored) - 1)
        junk = np.arange(bits.size).reshape(bits.shape) % 13 << options.bits_stored
        stored = (bits | junk).astype(f"<u{options.bits_allocated // 8}")
    return stored.tobytes() + b"\0" * (stored.nbytes % 2)

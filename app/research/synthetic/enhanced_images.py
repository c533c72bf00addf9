"""Write one synthetic stack as a single Enhanced MR Image instance (DICOM PS3.3, A.36.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, EnhancedMRImageStorage, ExplicitVRLittleEndian

from app.research.synthetic.dicom_images import grey_levels, series_part, slice_place
from operators.dicom.identity.uids import derived_uid

if TYPE_CHECKING:
    from pathlib import Path

    from app.research.synthetic.dicom_images import Stack

_DATE_TIME = "20240101120000"
_FRAME_TYPE = ["ORIGINAL", "PRIMARY", "T2", "NONE"]
_CLASSIC_ONLY = (
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "RepetitionTime",
    "EchoTime",
    "EchoTrainLength",
    "FlipAngle",
    "NumberOfAverages",
    "InversionTime",
    "SpacingBetweenSlices",
    "SliceThickness",
    "PixelSpacing",
    "MRAcquisitionType",
)
"""Attributes that functional groups say in an enhanced object."""


_FIXED: Final[dict[str, object]] = {
    "SOPClassUID": EnhancedMRImageStorage,
    "InstanceNumber": 1,
    "AcquisitionNumber": 1,
    "AcquisitionDateTime": _DATE_TIME,
    "AcquisitionDuration": 180.0,
    "DeviceSerialNumber": "1",
    "ImageType": _FRAME_TYPE,
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "ComplexImageComponent": "MAGNITUDE",
    "AcquisitionContrast": "T2",
    "ContentQualification": "RESEARCH",
    "PulseSequenceName": "tse2d",
    "MRAcquisitionType": "2D",
    "EchoPulseSequence": "SPIN",
    "MultipleSpinEcho": "YES",
    "MultiPlanarExcitation": "NO",
    "PhaseContrast": "NO",
    "TimeOfFlightContrast": "NO",
    "SteadyStatePulseSequence": "NONE",
    "EchoPlanarPulseSequence": "NO",
    "SaturationRecovery": "NO",
    "SpectrallySelectedSuppression": "NONE",
    "OversamplingPhase": "NONE",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "SegmentedKSpaceTraversal": "PARTIAL",
    "NumberOfKSpaceTrajectories": 1,
    "ApplicableSafetyStandardAgency": "IEC",
    "ResonantNucleus": "1H",
    "KSpaceFiltering": "NONE",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "PresentationLUTShape": "IDENTITY",
    "PixelRepresentation": 0,
    "AcquisitionContextSequence": [],
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
}
"""What every such object says."""


_FIXED_GROUPS: Final[dict[str, dict[str, object]]] = {
    "MRModifierSequence": {
        "InversionRecovery": "NO",
        "FlowCompensation": "NONE",
        "Spoiling": "NONE",
        "T2Preparation": "NO",
        "SpectrallySelectedExcitation": "NONE",
        "SpatialPresaturation": "NONE",
        "PartialFourier": "NO",
        "ParallelAcquisition": "NO",
    },
    "MRAveragesSequence": {
        "NumberOfAverages": 1.0,
    },
    "MRImagingModifierSequence": {
        "MagnetizationTransfer": "NONE",
        "BloodSignalNulling": "NO",
        "Tagging": "NONE",
        "TransmitterFrequency": 63.9,
        "PixelBandwidth": 190.0,
    },
    "MRTransmitCoilSequence": {
        "TransmitCoilName": "BODY",
        "TransmitCoilManufacturerName": "Synthetic",
        "TransmitCoilType": "BODY",
    },
    "MRImageFrameTypeSequence": {
        "FrameType": _FRAME_TYPE,
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
        "ComplexImageComponent": "MAGNITUDE",
        "AcquisitionContrast": "T2",
    },
    "PixelValueTransformationSequence": {
        "RescaleIntercept": 0.0,
        "RescaleSlope": 1.0,
        "RescaleType": "US",
    },
}
"""Functional groups of one item that say the same of every stack."""


def write_enhanced(stack: Stack, folder: Path, *, seed: int, part: int) -> Path:
    """Write all slices of a T2-weighted stack as the frames of one object.

    Parameters
    ----------
    stack : Stack
        What to write.
    folder : Path
        Created if needed.
    seed : int
        Of the study; goes into every identifier.
    part : int
        Number of the stack in the study.

    Returns
    -------
    Path
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = stack.volume.voxels_zyx.shape[0]
    image = _object_part(stack, seed, part)
    image.SharedFunctionalGroupsSequence = [_shared(stack)]
    image.PerFrameFunctionalGroupsSequence = [_frame(stack, k) for k in range(count)]
    image.NumberOfFrames = count
    pixels = np.stack([grey_levels(stack, k) for k in range(count)])
    image.Rows, image.Columns = pixels.shape[1:]
    image.PixelData = pixels.astype("<u2").tobytes()
    path = folder / f"{part}0000.dcm"
    dcmwrite(path, image, enforce_file_format=True)
    return path


def _object_part(stack: Stack, seed: int, part: int) -> Dataset:
    image = series_part(stack, seed)
    for keyword in _CLASSIC_ONLY:
        image.pop(keyword, None)
    for keyword, value in _FIXED.items():
        setattr(image, keyword, value)
    image.SOPInstanceUID = UID(derived_uid("synthetic", str(seed), "enhanced", str(part)))
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.ImplementationClassUID = UID(derived_uid("synthetic", "implementation"))
    image.DimensionOrganizationSequence = [
        _item(DimensionOrganizationUID=derived_uid("synthetic", str(seed), "dimensions"))
    ]
    image.DimensionIndexSequence = [
        _item(
            DimensionIndexPointer=0x00209057,  # In-Stack Position Number
            FunctionalGroupPointer=0x00209111,  # Frame Content Sequence
            DimensionOrganizationUID=derived_uid("synthetic", str(seed), "dimensions"),
        )
    ]
    return image


def _shared(stack: Stack) -> Dataset:
    protocol = stack.protocol
    slice_mm, row_mm, column_mm = stack.volume.spacing_zyx_mm
    orientation, _ = slice_place(stack, 0)
    shared = _item(
        PlaneOrientationSequence=[_item(ImageOrientationPatient=orientation)],
        PixelMeasuresSequence=[
            _item(
                PixelSpacing=[round(row_mm, 5), round(column_mm, 5)],
                SliceThickness=round(slice_mm / 1.1, 4),
                SpacingBetweenSlices=round(slice_mm, 4),
            )
        ],
        MRTimingAndRelatedParametersSequence=[
            _item(
                RepetitionTime=protocol.repetition_time,
                FlipAngle=150.0,
                EchoTrainLength=protocol.echo_train,
                RFEchoTrainLength=protocol.echo_train,
                GradientEchoTrainLength=0,
                SpecificAbsorptionRateSequence=[
                    _item(
                        SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY",
                        SpecificAbsorptionRateValue=0.0,
                    )
                ],
                GradientOutputType="DB_DT",
                GradientOutput=0.0,
                OperatingModeSequence=[
                    _item(OperatingModeType="STATIC FIELD", OperatingMode="IEC_NORMAL")
                ],
            )
        ],
        MREchoSequence=[_item(EffectiveEchoTime=protocol.echo_time)],
        MRFOVGeometrySequence=[
            _item(
                InPlanePhaseEncodingDirection="COLUMN",
                MRAcquisitionFrequencyEncodingSteps=stack.volume.voxels_zyx.shape[1],
                MRAcquisitionPhaseEncodingStepsInPlane=stack.volume.voxels_zyx.shape[2],
                PercentSampling=100.0,
                PercentPhaseFieldOfView=100.0,
            )
        ],
        MRReceiveCoilSequence=[
            _item(
                ReceiveCoilName="SPINE",
                ReceiveCoilManufacturerName="Synthetic",
                ReceiveCoilType="MULTICOIL",
                QuadratureReceiveCoil="NO",
                MultiCoilDefinitionSequence=[
                    _item(MultiCoilElementName="1", MultiCoilElementUsed="YES")
                ],
            )
        ],
        FrameAnatomySequence=[
            _item(
                FrameLaterality="U", AnatomicRegionSequence=[_code("421060004", "Vertebral column")]
            )
        ],
    )
    for keyword, values in _FIXED_GROUPS.items():
        setattr(shared, keyword, [_item(**values)])
    return shared


def _frame(stack: Stack, k: int) -> Dataset:
    _, position = slice_place(stack, k)
    return _item(
        PlanePositionSequence=[_item(ImagePositionPatient=position)],
        FrameContentSequence=[
            _item(
                StackID="1",
                InStackPositionNumber=k + 1,
                DimensionIndexValues=[k + 1],
                FrameAcquisitionNumber=1,
                FrameReferenceDateTime=_DATE_TIME,
                FrameAcquisitionDateTime=_DATE_TIME,
                FrameAcquisitionDuration=180_000.0,
            )
        ],
        FrameVOILUTSequence=[_item(WindowCenter=450.0, WindowWidth=900.0)],
    )


def _code(value: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning)


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item

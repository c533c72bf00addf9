"""One image plane in a normal form: what a classic single-frame header would have said.

Enhanced MR and Legacy Converted Enhanced MR keep geometry and physics of each frame in functional
groups (DICOM PS3.3 C.7.6.16); selection and assembly read classic attributes only. This module
reads no pixels and judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from operators.dicom.headers.header_values import mark_unreadable, unreadable, whole_number
from operators.dicom.headers.normal_header import PARSE_ERRORS

if TYPE_CHECKING:
    from pathlib import Path

_PER_FRAME = "PerFrameFunctionalGroupsSequence"
_SHARED = "SharedFunctionalGroupsSequence"

_GROUPS: tuple[str, ...] = (
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "FrameContentSequence",
    "FrameAnatomySequence",
    "MRImageFrameTypeSequence",
    "CTImageFrameTypeSequence",
    "MREchoSequence",
    "MRTimingAndRelatedParametersSequence",
    "MRModifierSequence",
    "MRImagingModifierSequence",
    "MRFOVGeometrySequence",
    "MRAveragesSequence",
    "MRDiffusionSequence",
    "MRReceiveCoilSequence",
)
"""Functional groups that say something about one plane, in rising precedence: the unassigned
attributes of a legacy conversion first, so that a proper functional group overrules them."""

_RENAMED: dict[str, str] = {
    "EffectiveEchoTime": "EchoTime",
    "FrameType": "ImageType",
    "RFEchoTrainLength": "EchoTrainLength",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "FrameLaterality": "Laterality",
    "FrameComments": "ImageComments",
    "TransmitterFrequency": "ImagingFrequency",
    "PulseSequenceName": "SequenceName",
    "ResonantNucleus": "ImagedNucleus",
}
"""Enhanced attribute -> classic attribute of the same meaning (PS3.3 C.8.13 and C.8.3)."""

_SCANNING: dict[str, tuple[str, ...]] = {
    "SPIN": ("SE",),
    "GRADIENT": ("GR",),
    "BOTH": ("SE", "GR"),
}
"""EchoPulseSequence -> ScanningSequence."""


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One image plane of a DICOM instance.

    Attributes
    ----------
    path : Path
        File that holds the plane.
    frame_number : int or None
        1-based frame of a multi-frame instance, None for a single-frame one.
    header : Dataset
        Classic attributes of this plane in the form of `headers.normal_header`: reading
        one never raises, and ``header.get(keyword)`` is None for absent, empty and unreadable
        alike (`headers.header_values.unreadable` names the last). Not to be modified: the
        planes of one file share elements.
    problems : tuple of str
        What is wrong with the pixel data of the file, told without decoding them: names of
        `reading.extent.pixel_problem`, ``undescribed_frames``, ``frame_count_mismatch``.
    """

    path: Path
    frame_number: int | None
    header: Dataset
    problems: tuple[str, ...] = ()


def planes(path: Path, header: Dataset) -> tuple[Frame, ...]:
    """Split an instance into its image planes.

    Parameters
    ----------
    path : Path
        The instance's file.
    header : Dataset
        As `normal_header` returns it.

    Returns
    -------
    tuple of Frame
        One per item of the per-frame functional groups; a single one for anything else, also for
        a multi-frame image that doesn't describe its frames (its `NumberOfFrames` stays).
    """
    per_frame = _items(header, _PER_FRAME)
    if not per_frame:
        if whole_number(header, "NumberOfFrames") == 1:
            header.pop("NumberOfFrames", None)
        return (Frame(path, None, header),)
    base = _base(header)
    for shared in _items(header, _SHARED):
        _apply_groups(base, shared)
    frames = []
    for number, item in enumerate(per_frame, start=1):
        plane = _copy(base)
        _apply_groups(plane, item)
        _derive_classic(plane)
        frames.append(Frame(path, number, plane))
    return tuple(frames)


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence; none where it is absent or isn't a sequence."""
    value = dataset.get(keyword)
    if value is None or dataset[keyword].VR != "SQ":
        return []
    return list(value)


def _base(header: Dataset) -> Dataset:
    """Everything of the instance that holds for all of its planes, under classic names."""
    base = Dataset()
    base.file_meta = header.file_meta
    for element in header:
        if element.keyword in (_PER_FRAME, _SHARED, "NumberOfFrames"):
            continue
        if element.keyword in _RENAMED:
            _set(base, _RENAMED[element.keyword], element.value)
        base[element.tag] = element
    mark_unreadable(base, _with_classic_names(unreadable(header)))
    return base


def _copy(base: Dataset) -> Dataset:
    plane = Dataset(dict(base.items()))
    plane.file_meta = base.file_meta
    mark_unreadable(plane, unreadable(base))
    return plane


def _with_classic_names(keywords: frozenset[str]) -> frozenset[str]:
    classic = {_RENAMED[keyword] for keyword in keywords & _RENAMED.keys()}
    return keywords | classic | ({"InversionTime"} if "InversionTimes" in keywords else set())


def _apply_groups(plane: Dataset, groups: Dataset) -> None:
    """Lift the attributes of the known functional groups to the top level, unreadable ones too."""
    for keyword in _GROUPS:
        for item in _items(groups, keyword)[:1]:
            for element in item:
                if element.is_empty:
                    continue
                plane[element.tag] = element
                if element.keyword in _RENAMED:
                    _set(plane, _RENAMED[element.keyword], element.value)
            _take_over_marks(plane, item)


def _take_over_marks(plane: Dataset, item: Dataset) -> None:
    """Let what the item says, or fails to say, overrule what the plane said before."""
    broken = _with_classic_names(unreadable(item))
    for keyword in broken:
        plane.pop(keyword, None)
    if broken or unreadable(plane):
        said = _with_classic_names(frozenset(element.keyword for element in item))
        mark_unreadable(plane, unreadable(plane) - said | broken)


def _set(plane: Dataset, keyword: str, value: object) -> None:
    """Set a classic attribute; a value its classic VR can't hold is unreadable."""
    try:
        # A new element, never the old one changed: planes share elements.
        plane.pop(keyword, None)
        setattr(plane, keyword, value)
    except PARSE_ERRORS:
        plane.pop(keyword, None)
        mark_unreadable(plane, unreadable(plane) | {keyword})


def _derive_classic(plane: Dataset) -> None:
    """Say in classic words what Enhanced MR spreads over several attributes (PS3.3 C.8.13.4)."""
    inversion_times = plane.get("InversionTimes")
    if inversion_times is not None and plane.get("InversionTime") is None:
        first = inversion_times if isinstance(inversion_times, float) else inversion_times[0]
        _set(plane, "InversionTime", first)
    if plane.get("ScanningSequence") is None:
        scanning = list(_SCANNING.get(str(plane.get("EchoPulseSequence")), ()))
        scanning += ["IR"] if plane.get("InversionRecovery") == "YES" else []
        scanning += ["EP"] if plane.get("EchoPlanarPulseSequence") == "YES" else []
        if scanning:
            _set(plane, "ScanningSequence", scanning)
    if plane.get("SequenceVariant") is None:
        variant = _sequence_variant(plane)
        if variant:
            _set(plane, "SequenceVariant", variant)


def _sequence_variant(plane: Dataset) -> list[str]:
    told = {
        "SK": plane.get("SegmentedKSpaceTraversal") in ("PARTIAL", "FULL"),
        "MTC": plane.get("MagnetizationTransfer") in ("ON_RESONANCE", "OFF_RESONANCE"),
        "SS": str(plane.get("SteadyStatePulseSequence", "NONE")) != "NONE",
        "SP": str(plane.get("Spoiling", "NONE")) != "NONE",
        "OSP": plane.get("OversamplingPhase") in ("2D", "3D", "2D_3D"),
    }
    return [code for code, applies in told.items() if applies]


__all__ = ["PARSE_ERRORS", "Frame", "planes"]

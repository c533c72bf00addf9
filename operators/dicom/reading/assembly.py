"""A series becomes a volume, or a refusal that names every reason; nothing is ever guessed.

Judges geometry and pixels, whatever selection thought of the series. It doesn't split series: the
caller hands over one image per position (one echo, one time).
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from operators.dicom.headers.header_values import numbers, unreadable, words
from operators.dicom.headers.pixel_description import describe
from operators.dicom.reading.decoding import decode_frames
from operators.dicom.reading.geometry import place, plane_of
from operators.dicom.reading.regularity import Finding, judge
from operators.dicom.reading.source_identity import identity_findings
from operators.errors import GeometryError, InputRejectedError, PixelDataError, SourceIdentityError
from operators.imaging.volume import SliceSource, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from operators.dicom.reading.decoding import StoredImage
    from operators.dicom.reading.frames import Frame
    from operators.dicom.reading.series import SeriesRecord


def assemble(series: SeriesRecord) -> Volume:
    """Put the planes of a series together.

    Parameters
    ----------
    series : SeriesRecord
        One image per position, in any order; classic or multi-frame.

    Returns
    -------
    Volume
        (Z, Y, X) float32 after the rescale of each slice (PS3.3 C.11.1); slices ascend along the
        normal (row x column). MONOCHROME1 is inverted so that bright means much signal:
        ``lowest + highest - value``, with the extremes of the whole rescaled volume, so that all
        slices share one scale and the range stays. Padding (PS3.3 C.7.5.1.1.2) becomes a stored 0,
        as in the air of magnitude images; where values lie below that or are inverted, the lowest
        value of what is no padding. `source` names every slice's instance.

    Raises
    ------
    GeometryError
        If the planes are no regular volume; with all reasons that apply, those below included.
    SourceIdentityError
        If a result could not point back at them; likewise.
    PixelDataError
        If a header rules its pixels out, `reading.decoding.decode_frames` refuses them, or
        an image holds nothing but padding (``only_padding``).

    Notes
    -----
    Memory: float32 volume twice. SpacingBetweenSlices and SliceThickness aren't used.
    """
    planes = [plane_of(frame.header) for frame in series.frames]
    found = _found(series.frames)
    images, decoding = _stored_images(series.frames)
    known = {finding.name for findings in found.values() for finding in findings}
    found[PixelDataError] += [finding for finding in decoding if finding.name not in known]
    for error, findings in found.items():
        if findings:
            every = [finding for others in found.values() for finding in others]
            raise error(_message(every), reasons=_names(every))
    placement = place(planes)
    ordered = [series.frames[index] for index in placement.order]
    voxels = _signal([images[index] for index in placement.order], ordered)
    return Volume(voxels, placement.affine_lps, tuple(_source(frame) for frame in ordered))


def header_findings(series: SeriesRecord) -> tuple[Finding, ...]:
    """Name every reason for which `assemble` would refuse a series, as far as headers tell.

    Parameters
    ----------
    series : SeriesRecord
        As `assemble` takes it.

    Returns
    -------
    tuple of Finding
        Empty where only damage inside the pixel data could still refuse it. Names: those of
        `operators.dicom.reading.regularity.judge`, ``mosaic``, ``undescribed_frames``; those of
        `operators.dicom.reading.source_identity.identity_findings`; ``invalid_rescale``,
        ``unsupported_modality_lut``, ``mixed_photometric``; those of
        `headers.pixel_description.describe` and `reading.extent.pixel_problem`;
        ``frame_count_mismatch``.

    Notes
    -----
    Opens no file.
    """
    return tuple(finding for findings in _found(series.frames).values() for finding in findings)


def _found(frames: Sequence[Frame]) -> dict[type[InputRejectedError], list[Finding]]:
    """Sort the findings by the error that they raise, the gravest first."""
    planes = [plane_of(frame.header) for frame in frames]
    return {
        GeometryError: [*judge(planes), *_arrangement(frames)],
        SourceIdentityError: list(identity_findings(frames)),
        PixelDataError: [*_pixel_findings(frames), *_file_findings(frames)],
    }


def _stored_images(frames: Sequence[Frame]) -> tuple[dict[int, StoredImage], list[Finding]]:
    """Every decodable frame by its index, and why the others aren't there."""
    by_file: dict[Path, list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        by_file[frame.path].append(index)
    images: dict[int, StoredImage] = {}
    failed: dict[str, list[str]] = defaultdict(list)
    for path, indices in by_file.items():
        try:
            decoded = decode_frames(path, [frames[index].frame_number or 1 for index in indices])
        except PixelDataError as error:
            for reason in error.reasons:
                failed[reason].append(error.message)
            continue
        images.update(zip(indices, decoded, strict=True))
    findings = [
        Finding(name, f"{len(details)} of {len(by_file)} files; {details[0]}")
        for name, details in failed.items()
    ]
    paddings = [image.is_padding for image in images.values() if image.is_padding is not None]
    empty = sum(bool(padding.all()) for padding in paddings)
    if empty:
        findings.append(Finding("only_padding", f"{empty} of {len(frames)} images"))
    return images, findings


def _signal(images: Sequence[StoredImage], frames: Sequence[Frame]) -> NDArray[np.float32]:
    """Put slices on one scale: rescaled, bright where much signal is, padding at the dark end."""
    voxels = np.stack([_rescaled(*pair) for pair in zip(images, frames, strict=True)])
    padding = _stacked_padding(images)
    valid = True if padding is None else ~padding
    lowest = voxels.min(where=valid, initial=np.inf)
    highest = voxels.max(where=valid, initial=-np.inf)
    is_inverted = describe(frames[0].header).is_inverted
    if is_inverted:
        voxels = lowest + highest - voxels
    if padding is not None:
        zero = None if is_inverted else _no_signal(images, frames)
        voxels = np.where(padding, lowest if zero is None else zero, voxels)
    return voxels


def _no_signal(
    images: Sequence[StoredImage], frames: Sequence[Frame]
) -> NDArray[np.float32] | None:
    """Rescaled stored 0 of each slice, (Z, 1, 1): what magnitude images hold in air.

    None where anything that is no padding lies below it.
    """
    rescales = [_rescale(frame) for frame in frames]
    valid = [True if image.is_padding is None else ~image.is_padding for image in images]
    least = min(
        image.values.min(where=where, initial=0) for image, where in zip(images, valid, strict=True)
    )
    if least < 0 or any(slope < 0 for slope, _ in rescales):
        return None
    return np.array([intercept for _, intercept in rescales], dtype=np.float32)[:, None, None]


def _stacked_padding(images: Sequence[StoredImage]) -> NDArray[np.bool_] | None:
    if all(image.is_padding is None for image in images):
        return None
    none = np.zeros(images[0].values.shape, dtype=np.bool_)
    return np.stack([none if image.is_padding is None else image.is_padding for image in images])


def _rescaled(image: StoredImage, frame: Frame) -> NDArray[np.float32]:
    """Output units; in float64 first, as integers of 32 bits don't fit into float32."""
    slope, intercept = _rescale(frame)
    return (image.values.astype(np.float64) * slope + intercept).astype(np.float32)


def _rescale(frame: Frame) -> tuple[float, float]:
    """Slope and intercept; NaN where the header has something that is no number."""
    return (
        _one_number(frame.header, "RescaleSlope", 1.0),
        _one_number(frame.header, "RescaleIntercept", 0.0),
    )


def _one_number(header: Dataset, keyword: str, absent: float) -> float:
    values = numbers(header, keyword)
    if len(values) == 1:
        return values[0]
    is_there = keyword in unreadable(header) or header.get(keyword) is not None
    return math.nan if is_there else absent


def _arrangement(frames: Sequence[Frame]) -> Iterator[Finding]:
    """Kinds of images that aren't one plane each."""
    mosaics = sum("MOSAIC" in words(frame.header, "ImageType") for frame in frames)
    if mosaics:
        yield Finding("mosaic", f"{mosaics} images hold many small slices each")
    bundles = sum(
        frame.frame_number is None and "NumberOfFrames" in frame.header for frame in frames
    )
    if bundles:
        yield Finding("undescribed_frames", f"{bundles} files don't say where their frames lie")


def _pixel_findings(frames: Sequence[Frame]) -> Iterator[Finding]:
    """Judge by the headers whether all values can be put on one scale."""
    slopes = [_rescale(frame) for frame in frames]
    useless = sum(not (math.isfinite(a) and math.isfinite(b) and a != 0) for a, b in slopes)
    if useless:
        yield Finding("invalid_rescale", f"{useless} of {len(frames)} images")
    tables = sum("ModalityLUTSequence" in frame.header for frame in frames)
    if tables:
        yield Finding("unsupported_modality_lut", f"{tables} of {len(frames)} images")
    kinds = {words(frame.header, "PhotometricInterpretation") for frame in frames}
    if len(kinds) > 1:
        yield Finding("mixed_photometric", f"{len(kinds)} photometric interpretations")
    described: dict[str, list[str]] = defaultdict(list)
    for frame in frames:
        for name, detail in describe(frame.header).problems.items():
            described[name].append(detail)
    for name, details in described.items():
        yield Finding(name, f"{len(details)} of {len(frames)} images; {details[0]}")


def _file_findings(frames: Sequence[Frame]) -> Iterator[Finding]:
    """Name what scanning saw of the pixel data, by file."""
    files: dict[str, set[Path]] = defaultdict(set)
    for frame in frames:
        for name in frame.problems:
            files[name].add(frame.path)
    total = len({frame.path for frame in frames})
    for name, paths in files.items():
        if name != "undescribed_frames":  # `_arrangement` names it
            yield Finding(name, f"{len(paths)} of {total} files")


def _source(frame: Frame) -> SliceSource:
    header = frame.header
    return SliceSource(
        path=frame.path,
        sop_class_uid=str(header.get("SOPClassUID", "")),
        sop_instance_uid=str(header.get("SOPInstanceUID", "")),
        frame_number=frame.frame_number,
    )


def _message(findings: Sequence[Finding]) -> str:
    return "; ".join(f"{finding.name} ({finding.detail})" for finding in findings)


def _names(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.name for finding in findings))

"""A series becomes a volume, or a refusal that names every reason; nothing is ever guessed.

Judges geometry and pixels, whatever selection thought of the series. It doesn't split series: the
caller hands over one image per position (one echo, one time).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from operators.dicom.decoding import decode_frames
from operators.dicom.geometry import place, plane_of
from operators.dicom.regularity import Finding, judge
from operators.dicom.source_identity import identity_findings
from operators.errors import GeometryError, InputRejectedError, PixelDataError, SourceIdentityError
from operators.imaging.volume import SliceSource, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.dicom.frames import Frame
    from operators.dicom.series import SeriesRecord


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
        slices share one scale and the range stays. `source` names every slice's instance.

    Raises
    ------
    GeometryError
        If the planes are no regular volume; with all reasons that apply, those below included.
    SourceIdentityError
        If a result could not point back at them; likewise.
    PixelDataError
        If a header rules its pixels out, or `operators.dicom.decoding.decode_frames` refuses them.

    Notes
    -----
    Memory: float32 volume twice. SpacingBetweenSlices and SliceThickness aren't used.
    """
    planes = [plane_of(frame.header) for frame in series.frames]
    found = _found(series.frames)
    values, decoding = _stored_values(series.frames)
    known = {finding.name for findings in found.values() for finding in findings}
    found[PixelDataError] += [finding for finding in decoding if finding.name not in known]
    for error, findings in found.items():
        if findings:
            every = [finding for others in found.values() for finding in others]
            raise error(_message(every), reasons=_names(every))
    placement = place(planes)
    ordered = [series.frames[index] for index in placement.order]
    voxels = np.stack([values[index] for index in placement.order])
    if ordered[0].header.PhotometricInterpretation == "MONOCHROME1":
        voxels = voxels.min() + voxels.max() - voxels
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
        `operators.dicom.regularity.judge`, ``mosaic``, ``undescribed_frames``; those of
        `operators.dicom.source_identity.identity_findings`; ``invalid_rescale``,
        ``unsupported_modality_lut``, ``mixed_photometric``, ``missing_pixels``,
        ``truncated_pixels``, ``truncated_header``, ``frame_count_mismatch``.

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


def _stored_values(
    frames: Sequence[Frame],
) -> tuple[dict[int, NDArray[np.float32]], list[Finding]]:
    """Rescaled values of every decodable frame by its index, and why the others aren't there."""
    by_file: dict[Path, list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        by_file[frame.path].append(index)
    values: dict[int, NDArray[np.float32]] = {}
    failed: dict[str, list[str]] = defaultdict(list)
    for path, indices in by_file.items():
        try:
            images = decode_frames(path, [frames[index].frame_number or 1 for index in indices])
        except PixelDataError as error:
            for reason in error.reasons:
                failed[reason].append(error.message)
            continue
        for index, image in zip(indices, images, strict=True):
            values[index] = _rescaled(image, frames[index])
    findings = [
        Finding(name, f"{len(details)} of {len(by_file)} files; {details[0]}")
        for name, details in failed.items()
    ]
    return values, findings


def _rescaled(image: NDArray[np.number], frame: Frame) -> NDArray[np.float32]:
    """Output units; in float64 first, as integers of 32 bits don't fit into float32."""
    slope, intercept = _rescale(frame)
    return (image.astype(np.float64) * slope + intercept).astype(np.float32)


def _rescale(frame: Frame) -> tuple[float, float]:
    """Slope and intercept; NaN where the header has something that is no number."""
    try:
        slope = float(frame.header.get("RescaleSlope", 1.0))
        intercept = float(frame.header.get("RescaleIntercept", 0.0))
    except (TypeError, ValueError):
        return math.nan, math.nan
    return slope, intercept


def _arrangement(frames: Sequence[Frame]) -> Iterator[Finding]:
    """Kinds of images that aren't one plane each."""
    mosaics = sum("MOSAIC" in _words(frame.header.get("ImageType")) for frame in frames)
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
    kinds = {str(frame.header.get("PhotometricInterpretation")) for frame in frames}
    if len(kinds) > 1:
        yield Finding("mixed_photometric", f"{len(kinds)} photometric interpretations")


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


def _words(value: object) -> tuple[str, ...]:
    """Text values of an attribute, also of one whose VR is broken."""
    parts = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    return tuple(str(part) for part in parts)


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

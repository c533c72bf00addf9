"""What a made MR series shows and where it lies; `tests.builders.mr_series` writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
"""Rows run to posterior, columns to inferior; the normal (row x column) points to the right."""


def turned(
    orientation: Sequence[float], about_z_deg: float, about_x_deg: float = 0.0
) -> tuple[float, ...]:
    """Direction cosines turned about the patient's z axis, then about its x axis."""
    z, x = np.deg2rad(about_z_deg), np.deg2rad(about_x_deg)
    around_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    around_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    rows = np.reshape(np.asarray(orientation, dtype=float), (2, 3)) @ (around_x @ around_z).T
    return tuple(float(value) for value in rows.ravel())


OBLIQUE_SAGITTAL = turned(SAGITTAL, 12.0, 7.0)


@dataclass(frozen=True, kw_only=True)
class SeriesOptions:
    """One series; the default is what a lumbar T2w TSE series looks like."""

    slices: int = 12
    rows: int = 40
    columns: int = 32
    pixel_spacing: tuple[float, float] = (0.9, 0.6)
    """Between rows, between columns (PS3.3 10.7.1.3), in mm."""
    slice_distance_mm: float = 4.4
    positions_mm: tuple[float, ...] | None = None
    """Distance of every slice along the normal, instead of multiples of the slice distance."""
    orientation: tuple[float, ...] = OBLIQUE_SAGITTAL
    origin: tuple[float, float, float] = (31.5, -84.25, 117.75)
    """Centre of the first voxel of the first slice, LPS mm."""
    shear_mm: float = 0.0
    """In-plane shift from one slice to the next, along the columns (tilted gantry)."""
    missing: tuple[int, ...] = ()
    """Slices that are not written."""
    signed: bool = False
    bits_allocated: int = 16
    bits_stored: int = 12
    junk_high_bits: bool = False
    photometric: str = "MONOCHROME2"
    slopes: tuple[float, ...] | None = None
    intercepts: tuple[float, ...] | None = None
    echo_times: tuple[float, ...] = (100.0,)
    """More than one: that many images at every position (voxels scaled down by 1, 2, 3 ...)."""
    temporal_positions: int = 1
    transfer_syntax: UID = ExplicitVRLittleEndian
    sop_class: UID = MRImageStorage
    """Classic, Enhanced or Legacy Converted Enhanced MR."""
    shuffle_seed: int | None = 7
    """File names (frames of a multi-frame object) in random order; None: in slice order."""
    tags: Mapping[str, object] = field(default_factory=dict)
    """Attributes of every header; None deletes one."""
    slice_tags: Mapping[int, Mapping[str, object]] = field(default_factory=dict)
    """The same for one slice (classic) or that frame's groups flattened (Enhanced: not used)."""
    frame_spacing: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    """Another PixelSpacing for single slices."""
    name: str = "T2"
    """Seed of the series' UIDs: another name is another series of the same study."""
    study: str = "study"
    shows: Callable[[SeriesOptions], NDArray[np.int32]] | None = None
    """Stored values [slice, row, column]; None: ramps and a block, `ramps`."""
    """Seed of study, patient and frame of reference."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One image to be written."""

    slice_index: int
    echo: int
    time: int
    number: int
    stored: NDArray[np.integer]


def phantom(options: SeriesOptions) -> NDArray[np.int32]:
    """Stored values [slice, row, column] of the first echo at the first time."""
    return ramps(options) if options.shows is None else options.shows(options)


def ramps(options: SeriesOptions) -> NDArray[np.int32]:
    """Smooth ramps of another slope along each axis plus a bright block near one corner."""
    k, j, i = np.mgrid[: options.slices, : options.rows, : options.columns]
    depth = options.bits_stored
    peak = (1 << (depth - 1)) - 1
    values = 200 + 40 * k + 900 * j / options.rows + 400 * i / options.columns
    block = (k >= options.slices // 2) & (j < options.rows // 4) & (i < options.columns // 3)
    values = np.where(block, 1900, values)
    scaled = np.floor(values * peak / 2047).astype(np.int32)
    return scaled - peak // 3 if options.signed else scaled


def true_affine(options: SeriesOptions) -> NDArray[np.float64]:
    """Index (k, j, i, 1) to LPS mm by the definition of the Image Plane module (C.7.6.2.1.1)."""
    row, column, normal = _axes(options)
    affine = np.eye(4)
    affine[:3, 0] = normal * options.slice_distance_mm
    affine[:3, 1] = column * options.pixel_spacing[0]
    affine[:3, 2] = row * options.pixel_spacing[1]
    affine[:3, 3] = position(options, 0)
    return affine


def _axes(options: SeriesOptions) -> tuple[NDArray, NDArray, NDArray]:
    row, column = np.reshape(np.asarray(options.orientation, dtype=float), (2, 3))
    return row, column, np.cross(row, column)


def position(options: SeriesOptions, slice_index: int) -> NDArray[np.float64]:
    _, column, normal = _axes(options)
    along = slice_index * options.slice_distance_mm
    if options.positions_mm is not None:
        along = options.positions_mm[slice_index]
    shift = slice_index * options.shear_mm
    return np.asarray(options.origin) + normal * along + column * shift


def planes_of(options: SeriesOptions) -> list[Plane]:
    values = phantom(options)
    planes = []
    for k in range(options.slices):
        if k in options.missing:
            continue
        for time in range(options.temporal_positions):
            for echo in range(len(options.echo_times)):
                stored = values[k] // (1 + echo) - time
                planes.append(Plane(k, echo, time, len(planes) + 1, stored))
    return planes


def rescale(options: SeriesOptions, slice_index: int) -> tuple[float, float]:
    slope = options.slopes[slice_index] if options.slopes else 1.0
    intercept = options.intercepts[slice_index] if options.intercepts else 0.0
    return slope, intercept


def spacing(options: SeriesOptions, slice_index: int) -> list[float]:
    return list(options.frame_spacing.get(slice_index, options.pixel_spacing))


def true_values(options: SeriesOptions) -> NDArray[np.float32]:
    """(Z, Y, X) intensities that reading the first echo at the first time must give.

    MONOCHROME1 is turned after the rescale, with one constant for the whole volume.
    """
    slices = []
    for plane in planes_of(options):
        if plane.echo == 0 and plane.time == 0:
            slope, intercept = rescale(options, plane.slice_index)
            slices.append(plane.stored.astype(np.float64) * slope + intercept)
    values = np.stack(slices)
    if options.photometric == "MONOCHROME1":
        values = values.min() + values.max() - values
    return values.astype(np.float32)

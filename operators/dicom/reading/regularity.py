"""Whether image planes together are one regular volume, and if not, every reason why.

Reads no files and no pixels and corrects nothing: irregular planes are refused, never resampled.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.dicom.reading.geometry import (
    COSINE_TOLERANCE,
    along_normal,
    axes_of,
    farthest_off_grid_mm,
    groups_along_normal,
    place,
    position_of,
    spacing_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from operators.dicom.reading.geometry import ImagePlane

MIN_SLICES = 5
"""Fewer slices are a localizer or a remnant, not a spine."""

SPACING_TOLERANCE = 0.05
"""Part of the median distance by which one distance may differ (DESIGN section 5)."""

_WHOLE_MULTIPLE_TOLERANCE = 0.1
"""A gap of 1.9 to 2.1 median distances is one missing slice; 1.7 is an irregular increment."""

_MAX_GRID_DEVIATION = 0.25
"""Part of the mean distance by which a slice may lie off the regular grid: distances that are
each within tolerance can still add up."""

_SPACING_RATIO_TOLERANCE = 1e-3
_MAX_DRIFT_PIXELS = 0.5
"""In-plane shift over the whole stack that counts as rounding; a tilted gantry shifts by more."""

_NORMAL_OF_ROUNDING = math.sqrt(6)
"""Largest change of a normal, in units of the rounding of the cosines that give it."""

MAX_OFF_GRID_STEPS = 0.25
"""A slice's own position against the volume's affine, in slice distances: accepted series may be
irregular by 5 %, which adds up; half a step would be another slice."""

_MIN_FOR_DISTANCES = 3
_ROUNDING = 1e-6

_CONTRAST_FINDINGS = ("several_echoes", "several_temporal_positions", "several_b_values")


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why planes are no volume.

    Attributes
    ----------
    name : str
        Machine-readable, snake_case.
    detail : str
        Counts and millimetres, free of patient data.
    """

    name: str
    detail: str


def judge(planes: Sequence[ImagePlane]) -> tuple[Finding, ...]:
    """Name everything that keeps planes from being one regular volume.

    Parameters
    ----------
    planes : sequence of ImagePlane
        In any order.

    Returns
    -------
    tuple of Finding
        Empty for a regular volume. Names: missing_, unreadable_ and invalid_ position,
        orientation and pixel_spacing, mixed_orientation, mixed_matrix, mixed_pixel_spacing,
        mixed_frame_of_reference, duplicate_positions, several_echoes,
        several_temporal_positions, several_b_values, missing_slice, irregular_spacing, shear,
        too_few_slices.

    Notes
    -----
    Distances between slices mean nothing where a position is missing or orientations differ;
    they are then not judged.
    """
    mixed = list(_mixed(planes))
    findings = [*_unplaced(planes), *mixed]
    count = len(planes)
    is_placed = all(plane.position_lps is not None and plane.axes is not None for plane in planes)
    if planes and is_placed and all(finding.name != "mixed_orientation" for finding in mixed):
        groups = groups_along_normal(planes)
        count = len(groups)
        findings += _repeated(planes, groups)
        findings += _distances(planes, groups)
        findings += _shear(planes, groups)
        findings += _wander(planes) if not findings and count >= MIN_SLICES else []
    if count < MIN_SLICES:
        findings.append(Finding("too_few_slices", f"{count} slices, {MIN_SLICES} are needed"))
    return tuple(findings)


def _unplaced(planes: Sequence[ImagePlane]) -> Iterator[Finding]:
    """Name what keeps single planes from having a place."""
    counts: Counter[str] = Counter()
    for plane in planes:
        places = (plane.position_lps, plane.axes, plane.spacing_mm)
        for what, said in zip(("position", "orientation", "pixel_spacing"), places, strict=True):
            if said is None:
                named = (problem for problem in plane.problems if problem.endswith(what))
                counts[next(named, f"missing_{what}")] += 1
    for name, count in counts.items():
        yield Finding(name, f"{count} of {len(planes)} images")


def _mixed(planes: Sequence[ImagePlane]) -> Iterator[Finding]:
    """Compare what must be the same in all planes."""
    axes = np.array([plane.axes for plane in planes if plane.axes is not None])
    if len(axes) and np.abs(axes - axes[0]).max() > COSINE_TOLERANCE:
        cosines = np.clip(np.abs(np.cross(axes[:, 0], axes[:, 1]) @ np.cross(*axes[0])), 0, 1)
        angle = math.degrees(math.acos(float(cosines.min())))
        yield Finding("mixed_orientation", f"normals up to {angle:.1f} degrees apart")
    shapes = {plane.shape for plane in planes}
    if len(shapes) > 1:
        sizes = ", ".join(f"{rows} x {columns}" for rows, columns in sorted(shapes))
        yield Finding("mixed_matrix", f"{sizes} in one series")
    spacing = np.array([plane.spacing_mm for plane in planes if plane.spacing_mm is not None])
    if len(spacing) and (np.ptp(spacing, axis=0) > _SPACING_RATIO_TOLERANCE * spacing[0]).any():
        low, high = spacing.min(), spacing.max()
        yield Finding("mixed_pixel_spacing", f"{low:.4f} to {high:.4f} mm in one series")
    if len({plane.frame_of_reference for plane in planes}) > 1:
        yield Finding("mixed_frame_of_reference", "positions aren't comparable")


def _repeated(planes: Sequence[ImagePlane], groups: Sequence[Sequence[int]]) -> list[Finding]:
    """Name repeated positions by what tells the images apart, if anything does."""
    repeated = [[planes[index].contrasts for index in group] for group in groups if len(group) > 1]
    if not repeated:
        return []
    detail = f"{len(repeated)} of {len(groups)} positions hold several images"
    if any(len(set(contrasts)) < len(contrasts) for contrasts in repeated):
        return [Finding("duplicate_positions", detail)]
    told = [
        name
        for n, name in enumerate(_CONTRAST_FINDINGS)
        if any(len({contrast[n] for contrast in contrasts}) > 1 for contrasts in repeated)
    ]
    return [Finding(name, detail) for name in told]


def _distances(planes: Sequence[ImagePlane], groups: Sequence[Sequence[int]]) -> list[Finding]:
    """Holes and irregular increments between neighbouring slices."""
    if len(groups) < _MIN_FOR_DISTANCES:
        return []
    along = along_normal(planes)[[group[0] for group in groups]]
    gaps = np.diff(along)
    rule = statistics.median_low(gaps.tolist())
    ratios = gaps / rule
    holes = np.abs(ratios - np.rint(ratios)) <= _WHOLE_MULTIPLE_TOLERANCE
    holes &= np.rint(ratios) > 1
    odd = (np.abs(ratios - 1) > SPACING_TOLERANCE + _ROUNDING) & ~holes
    findings = []
    if holes.any():
        lost = int(np.rint(ratios[holes]).sum() - holes.sum())
        findings.append(
            Finding(
                "missing_slice",
                f"{lost} missing: a gap of {gaps[holes].max():.2f} mm "
                f"where {rule:.2f} mm is the rule",
            )
        )
    regular = np.linspace(along[0], along[-1], len(along))
    deviation = float(np.abs(along - regular).max())
    if odd.any():
        detail = f"distances from {gaps[odd].min():.2f} to {gaps[odd].max():.2f} mm"
        findings.append(Finding("irregular_spacing", f"{detail} where {rule:.2f} mm is the rule"))
    elif not findings and deviation > _MAX_GRID_DEVIATION * rule:
        detail = f"slices up to {deviation:.2f} mm off a regular grid of {rule:.2f} mm"
        findings.append(Finding("irregular_spacing", detail))
    return findings


def _shear(planes: Sequence[ImagePlane], groups: Sequence[Sequence[int]]) -> list[Finding]:
    """In-plane shift between the slices: tilted gantry, radial or free-hand planes."""
    placed = [plane for plane in planes if plane.spacing_mm is not None]
    if len(groups) < _MIN_FOR_DISTANCES - 1 or len(placed) < len(planes):
        return []
    normal = np.cross(*axes_of(planes[0]))
    middles = np.array([_middle(planes[group[0]]) for group in groups])
    offsets = middles - middles[0]
    offsets -= np.outer(offsets @ normal, normal)
    drift = float(np.linalg.norm(offsets, axis=1).max())
    rounding = max(plane.cosine_rounding for plane in planes)
    limit = _MAX_DRIFT_PIXELS * min(min(spacing_of(plane)) for plane in planes)
    limit += _NORMAL_OF_ROUNDING * rounding * float(np.ptp(middles @ normal))
    if drift > limit:
        return [Finding("shear", f"slices shift by up to {drift:.2f} mm within their planes")]
    return []


def _wander(planes: Sequence[ImagePlane]) -> list[Finding]:
    """Thin slices that leave the straight row within the tolerance of their wide pixels."""
    placement = place(planes)
    positions = np.array([position_of(planes[index]) for index in placement.order])
    wander = farthest_off_grid_mm(positions, placement.affine_lps)
    if wander <= MAX_OFF_GRID_STEPS * float(np.linalg.norm(placement.affine_lps[:3, 0])):
        return []
    return [Finding("shear", f"slices lie up to {wander:.2f} mm off a straight row")]


def _middle(plane: ImagePlane) -> NDArray[np.float64]:
    """Centre of the plane: equal for one field of view, whatever its matrix."""
    (rows, columns), (between_rows, between_columns) = plane.shape, spacing_of(plane)
    row, column = axes_of(plane)
    across = row * between_columns * (columns - 1) / 2
    down = column * between_rows * (rows - 1) / 2
    middle: NDArray[np.float64] = position_of(plane) + across + down
    return middle

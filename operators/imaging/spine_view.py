"""Whether an image, as its affine places it, can be a sagittal view of a spine at all.

DICOM says how its slices lie; an affine is often made by hand, and the usual mistakes (an identity,
a unit, the axes of an array in reverse) put the voxels where no spine can be. The network would
answer "no spine"; the mistake is named instead. Contrast and anatomy are not judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.errors import GeometryError
from operators.imaging.orientation import axis_codes

if TYPE_CHECKING:
    from operators.imaging.volume import Volume

_DIRECTIONS: Final = {
    **dict.fromkeys("LR", "left-right"),
    **dict.fromkeys("PA", "front-back"),
    **dict.fromkeys("SI", "head-foot"),
}

EXTENT_RANGE_MM: Final = {
    "left-right": (0.0, 700.0),
    "front-back": (30.0, 700.0),
    "head-foot": (30.0, 2200.0),
}
"""How far an image of a spine can reach. Upper ends: the bore of a scanner is 600 or 700 mm wide, a
composed image of a whole body shorter than 2.2 m. Lower ends: a cervical body, its disc and the
next body are 34 mm high, and from the front of a cervical body to the back of its canal it is
30 mm (body 15, canal 15); how many slices are needed is judged by themselves."""

SLICE_RATIO: Final = 2.5
"""From this ratio of the largest voxel edge to the next one on, the largest lies between slices:
two-dimensional protocols have 3 to 8, three-dimensional ones 1 to 2."""


def extent_text(volume: Volume) -> str:
    """Say how large an image is, for a reader who knows what it should be.

    Examples
    --------
    >>> import numpy as np
    >>> from operators.imaging.volume import Volume
    >>> affine_lps = np.array([[3.3, 0, 0, 0], [0, 0, 0.5, 0], [0, -0.5, 0, 0], [0, 0, 0, 1]])
    >>> extent_text(Volume(np.zeros((10, 40, 20)), affine_lps))
    '33 mm left-right, 20 mm head-foot, 10 mm front-back'
    """
    return ", ".join(f"{extent:.0f} mm {name}" for name, extent, _ in _axes(volume))


def require_spine_view(volume: Volume) -> None:
    """Refuse an image that cannot be a sagittal view of a spine.

    Parameters
    ----------
    volume : Volume
        Placed by an affine that is no DICOM header's; any orientation.

    Raises
    ------
    GeometryError
        ``implausible_extent`` (outside `EXTENT_RANGE_MM`); ``not_sagittal`` (slices that do not
        follow each other from left to right, `SLICE_RATIO`).
    """
    axes = _axes(volume)
    findings = []
    for name, extent, _ in axes:
        low, high = EXTENT_RANGE_MM[name]
        if not low <= extent <= high:
            findings.append(("implausible_extent", f"{extent:.0f} mm {name}"))
    *_, second, (slices_along, _, thickest) = sorted(axes, key=lambda axis: axis[2])
    if slices_along != "left-right" and thickest >= SLICE_RATIO * second[2]:
        findings.append(("not_sagittal", f"slices {thickest:.3g} mm apart {slices_along}"))
    if findings:
        told = "; ".join(f"{name} ({detail})" for name, detail in findings)
        message = f"{told}: is the affine right, and does it fit the order of the axes?"
        raise GeometryError(message, reasons=tuple(dict.fromkeys(name for name, _ in findings)))


def _axes(volume: Volume) -> list[tuple[str, float, float]]:
    """Direction, extent in mm and voxel edge in mm of every axis, in [k, j, i] order."""
    directions = [_DIRECTIONS[code] for code in reversed(axis_codes(volume.affine_lps))]
    edges = volume.spacing_zyx_mm
    counts = volume.voxels_zyx.shape
    return [
        (name, count * edge, edge)
        for name, count, edge in zip(directions, counts, edges, strict=True)
    ]

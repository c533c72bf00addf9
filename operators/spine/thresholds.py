"""Physical thresholds in voxels of the grid at hand.

SPINEPS was tuned on voxels of 0.75 x 0.75 x 1.65 mm; its thresholds are kept as volumes, lengths
and areas of that grid and turned back into voxel counts here, rounded as SPINEPS 2.1.3 does.
"""

from __future__ import annotations

from math import prod

Spacing = tuple[float, float, float]

REFERENCE_SPACING_ZYX_MM: Spacing = (1.65, 0.75, 0.75)
"""Grid on which the method was tuned (Möller et al. 2024): R, I, P."""

REFERENCE_VOXEL_MM3 = prod(REFERENCE_SPACING_ZYX_MM)
"""0.928 mm^3."""


def voxels_of_volume(volume_mm3: float, spacing_zyx_mm: Spacing) -> int:
    """Nearest number of voxels that fill a volume, at least 1.

    Examples
    --------
    >>> voxels_of_volume(30 * REFERENCE_VOXEL_MM3, (1.5, 1.5, 1.5))
    8
    """
    return max(round(volume_mm3 / prod(spacing_zyx_mm)), 1)


def voxels_of_area(area_mm2: float, spacing_zyx_mm: Spacing) -> int:
    """Nearest number of mean voxel faces (voxel volume to the power 2/3) in an area, at least 1."""
    return max(round(area_mm2 / prod(spacing_zyx_mm) ** (2 / 3)), 1)


def whole_voxels_of_length(length_mm: float, spacing_zyx_mm: Spacing) -> int:
    """Whole voxels of the finest spacing that fit into a length; used for crop margins."""
    return int(length_mm / min(spacing_zyx_mm))

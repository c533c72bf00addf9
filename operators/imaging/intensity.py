"""Bring the intensities of any MR image onto the scale that the networks were trained on.

Follows SPINEPS's pre-processing on plausible images (shift the minimum to 0, scale down above
1500). Where SPINEPS silently loses the image (one hot voxel, one NaN, a 0-1 scale, a constant
image), the repair is counted or the image is refused by name. float32 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.errors import IntensityError
from operators.imaging.bias_field import n4_field
from operators.imaging.cropping import bounding_box, crop
from operators.imaging.usable_image import replace_non_finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.volume import Volume

HIGHEST = 1500.0
"""Upper end of the scale; brighter images are scaled down to it, darker ones stay (SPINEPS)."""

_N4_LEVEL = 60.0 / HIGHEST
"""N4 looks at the box of voxels above this part of the maximum: 60 of 1500, as in SPINEPS."""

_TOO_DARK = 60.0
"""An image whose maximum lies below is on another scale (0-1): it is scaled up to 1500 first.

SPINEPS cannot process such an image at all; N4 needs intensities well above 1.
"""

_HOT_QUANTILE = 0.999
_HOT_FACTOR = 5.0
"""Brighter than this many times the 99.9 % quantile of the tissue is no tissue.

In real T2w images the factor is below 2 (fluid, fat near the coil); a hot voxel of 32000 in an
image of 0-1500 has 20 or more. A lower factor would begin to cut true fluid.
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image ready for a network.

    Attributes
    ----------
    volume : Volume
        float32, 0..1500.
    facts : tuple of str
        What had to be repaired, such as ``hot_voxels_capped: 3``.
    """

    volume: Volume
    facts: tuple[str, ...]


def prepare(volume: Volume) -> Prepared:
    """Shift, crop, correct the bias field and scale, in SPINEPS's order, which pads afterwards.

    Parameters
    ----------
    volume : Volume
        Any scale and numeric type, any orientation.

    Returns
    -------
    Prepared
        On the grid of ``volume``.

    Raises
    ------
    IntensityError
        ``non_finite_voxels`` or ``constant_image``.

    References
    ----------
    SPINEPS 2.1.3, ``phase_pre.preprocess_input``
    """
    voxels, replaced = replace_non_finite(volume.voxels_zyx)
    voxels -= voxels.min()
    capped = cap_hot_voxels_in_place(voxels)
    box = bounding_box(voxels > 0)
    if box is None:
        raise IntensityError(
            "all voxels have the same intensity: there is nothing to segment",
            reasons=("constant_image",),
        )
    facts = []
    if replaced:
        facts.append(f"non_finite_voxels_replaced: {replaced}")
    if capped:
        facts.append(f"hot_voxels_capped: {capped}")
    if float(voxels.max()) < _TOO_DARK:
        voxels *= np.float32(HIGHEST / float(voxels.max()))
        facts.append("scaled_up_to_1500")
    scale_in_place(voxels)
    inner = voxels[box]
    bright = bounding_box(inner >= _N4_LEVEL * float(inner.max()))
    if bright is not None:
        spacing = crop(volume, box).spacing_zyx_mm
        inner /= n4_field(inner, spacing, bright)
    scale_in_place(inner)
    return Prepared(volume.with_voxels(voxels), tuple(facts))


def scale_in_place(voxels: NDArray[np.float32]) -> None:
    """Move the minimum to 0 and, only above 1500, scale the maximum down to 1500.

    Parameters
    ----------
    voxels : ndarray of float32
        Finite intensities; changed.
    """
    voxels -= voxels.min()
    highest = float(voxels.max())
    if highest > HIGHEST:
        voxels *= np.float32(HIGHEST / highest)


def cap_hot_voxels_in_place(voxels: NDArray[np.float32]) -> int:
    """Lower voxels that are far brighter than any tissue to the brightest plausible one.

    Parameters
    ----------
    voxels : ndarray of float32
        Finite intensities with minimum 0; changed. Untouched if all are plausible.

    Returns
    -------
    int
        Number of voxels lowered.

    Notes
    -----
    Plausible is at most 5 times the 99.9 % quantile of the voxels above 0.
    """
    tissue = voxels[voxels > 0]
    if tissue.size == 0:
        return 0
    quantile = float(np.quantile(tissue, _HOT_QUANTILE, method="lower"))
    limit = _HOT_FACTOR * quantile
    if float(tissue.max()) <= limit:
        return 0
    hot = voxels > limit
    voxels[hot] = tissue[tissue <= limit].max()
    return int(np.count_nonzero(hot))

"""Boxes of an image about the vertebral bodies, as SPINEPS's labelling network sees them.

The image on the model's spacing, zeros beyond its edge; the middle of each box is the middle of the
body's bounding box; intensities of each box normalised over its voxels that are not 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.ndimage import rotate

from operators.anatomy.labels import Structure
from operators.anatomy.vertebrae import vertebrae_among
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_labels_to_spacing, resample_to_spacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap, Volume
    from operators.networks.inference_config import InferenceConfig

    Box = NDArray[np.float32]
    Points = NDArray[np.float64]

_BODY: Final = (Structure.CORPUS, Structure.CORPUS_DENSE, Structure.DENS)
_PIR: Final = ("P", "I", "R")
_ROOM: Final = 64
"""Voxels that a box is wider in its plane while it is turned, so that no corner is empty."""


class BoxSize(NamedTuple):
    """Voxels along the patient's axes."""

    back: int
    down: int
    right: int


def boxes_about_bodies(
    volume: Volume,
    maps: tuple[LabelMap, LabelMap],
    config: InferenceConfig,
    *,
    size: BoxSize,
    is_turned: bool,
) -> dict[int, Box]:
    """Cut a box about every vertebral body.

    Parameters
    ----------
    volume : Volume
        The image, any orientation.
    maps : tuple of 2 LabelMap
        Semantic and instance map on its grid.
    config : InferenceConfig
        Spacing and orientation that the model expects.
    size : BoxSize
        Of a box; odd sides lose a voxel, as in SPINEPS.
    is_turned : bool
        Turn boxes in their sagittal plane along the line through the neighbouring bodies.

    Returns
    -------
    dict of int to (P, I, R) ndarray of float32
        By vertebra id, head to foot; a vertebra without a body has none.
    """
    bodies = np.where(np.isin(maps[0].labels_zyx, _BODY), maps[1].labels_zyx, 0)
    image = reorient(volume, config.model_expected_orientation)
    labels = reorient(maps[1].with_labels(bodies), config.model_expected_orientation)
    spacing = config.target_spacing_zyx_mm(image.spacing_zyx_mm)
    image = reorient(resample_to_spacing(image, spacing), _PIR)
    labels = reorient(resample_labels_to_spacing(labels, spacing), _PIR)
    voxels = image.voxels_zyx.transpose(2, 1, 0)
    owners = labels.labels_zyx.transpose(2, 1, 0)
    places = {n: np.argwhere(owners == n) for n in vertebrae_among(np.unique(owners).tolist())}
    angles = _angles(places) if is_turned else {}
    return {
        number: _normalised(_cut(voxels, _middle(where), size, angles.get(number, 0.0)))
        for number, where in places.items()
    }


def _middle(where: NDArray[np.int64]) -> NDArray[np.int64]:
    low, high = where.min(axis=0), where.max(axis=0) + 1
    middle: NDArray[np.int64] = low + (high - low) // 2
    return middle


def _cut(
    voxels: NDArray[np.generic], middle: NDArray[np.int64], size: BoxSize, angle: float
) -> Box:
    """Box about a voxel, turned by an angle in degrees."""
    room = _ROOM if angle else 0
    halves = np.array([(size.back + room) // 2, (size.down + room) // 2, size.right // 2])
    box = np.zeros(2 * halves, np.float32)
    start = middle - halves
    shape = np.array(voxels.shape)
    low, high = np.clip(start, 0, shape), np.clip(start + 2 * halves, 0, shape)
    source = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    target = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
    box[target] = voxels[source]
    if not room:
        return box
    # Rows down, columns backwards, slices from right to left: there the angle is measured.
    turned = rotate(box.transpose(1, 0, 2), angle, reshape=False, order=3, mode="constant")
    edge = slice(room // 2, -room // 2)
    return turned[edge, edge].transpose(1, 0, 2)


def _angles(places: dict[int, NDArray[np.int64]]) -> dict[int, float]:
    """Angle of the line through a body's neighbours and the patient's axis, degrees.

    In voxels, along I, P and L, and with the sign that SPINEPS gives it: the model was trained so.
    """
    centres = {n: where.mean(axis=0) * (1, 1, -1) for n, where in places.items()}
    order = sorted(centres, key=lambda n: centres[n][1])
    angles = {}
    for place, number in enumerate(order):
        above = centres[order[max(place - 1, 0)]]
        below = centres[order[min(place + 1, len(order) - 1)]]
        angles[number] = _angle(below - above)
    return angles


def _angle(along: Points) -> float:
    back, down, left = along
    length = float(np.linalg.norm(along))
    if not length:
        return 0.0
    sign = -1.0 if left - back < 0 else 1.0
    return sign * float(np.degrees(np.arccos(np.clip(down / length, -1.0, 1.0))))


def _normalised(box: Box) -> Box:
    """Mean 0 and standard deviation 1 over the voxels that are not 0; zeros stay."""
    inside = box != 0
    if not inside.any():
        return box
    values = box[inside]
    spread = float(values.std())
    scaled = np.zeros_like(box)
    scaled[inside] = (values - values.mean()) / (spread or 1.0)
    return scaled

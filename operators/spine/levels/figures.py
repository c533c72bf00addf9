"""Figures of one vertebra: sizes of its body, its processes, the canal and the cord behind it.

A figure that the field of view cuts is left out rather than measured too small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import Structure
from operators.spine.atlas import BODIES, TRANSVERSE_PROCESSES
from operators.spine.label_statistics import is_one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Points = NDArray[np.float64]

MIDDLE_SHARE: Final = 0.7
"""Sagittal sections of at least this share of the body's largest one are its middle."""

_SUPERIOR = (Structure.SUPERIOR_ARTICULAR_LEFT, Structure.SUPERIOR_ARTICULAR_RIGHT)
_INFERIOR = (Structure.INFERIOR_ARTICULAR_LEFT, Structure.INFERIOR_ARTICULAR_RIGHT)
_LEAST_VOXELS = 12
"""Fewer are no structure but its rest."""

_BESIDE_MM = 6.0
"""Half the width of the strip about the body's middle in which canal and cord are measured, mm."""

_LYING = 0.99
"""Share of a unit vector along which a row runs front to back: no spine, but it needs axes too."""

_LEAST_MM = 1.0
"""A length below a voxel's is the voxel's own."""

TALL: Final = 1.6
"""A body that is more than so many times as high as deep is C2's: with its dens it is 2.5 times as
high, without it 1.5 times, C3 to C7 0.8 to 0.9 times (Panjabi et al. 1991), the others less. Where
the sides of the field cut a body, 1.5 times was seen."""

_SLICE, _ROW, _COLUMN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Voxels:
    """Labelled voxels as a list.

    Attributes
    ----------
    parts, owners : (N,) ndarray
        Label in the semantic and in the instance map.
    index : (N, 3) ndarray
        Place in the [R, I, P] array.
    lps : (N, 3) ndarray
        The same in patient coordinates, mm.
    shape : tuple of 3 ints
        Of the array.
    volume_mm3 : float
        Of a voxel.
    """

    parts: NDArray[np.unsignedinteger]
    owners: NDArray[np.unsignedinteger]
    index: NDArray[np.intp]
    lps: Points
    shape: tuple[int, int, int]
    volume_mm3: float

    @property
    def count(self) -> int:
        """Number of voxels."""
        return len(self.parts)

    def only(self, mask: NDArray[np.bool_]) -> Voxels:
        """Those that a mask over the list selects."""
        return Voxels(
            self.parts[mask],
            self.owners[mask],
            self.index[mask],
            self.lps[mask],
            self.shape,
            self.volume_mm3,
        )

    def of(self, *parts: int) -> Voxels:
        """Those of some semantic labels."""
        return self.only(is_one_of(self.parts, parts))

    def touches(self, axis: int) -> bool:
        """Whether any lies on the image's border along an axis."""
        places = self.index[:, axis]
        return bool(places.size and (places.min() == 0 or places.max() == self.shape[axis] - 1))


def figures_of(vertebra: Voxels, tube: Voxels, down: Points) -> dict[str, float]:
    """Measure a vertebra with a body.

    Parameters
    ----------
    vertebra : Voxels
        All of it.
    tube : Voxels
        Canal and cord of the whole image.
    down : (3,) ndarray
        Unit vector along the spine, LPS.

    Returns
    -------
    dict of str to float
        By the names of `operators.spine.levels.tables.FEATURES`: natural logarithms of mm, mm2 and
        mm3, degrees, mm, shares. Of a body that the upper or lower border cuts, no more than
        ``tall``, and that only if it is so (`TALL`): what is not in view says nothing.
    """
    body = vertebra.of(*BODIES)
    if body.count < _LEAST_VOXELS or body.touches(_COLUMN):
        return {}
    axes = _axes(down)
    if body.touches(_ROW):
        return _cut_figures(body, axes)
    centre = body.lps.mean(axis=0)
    return {
        **_body_figures(body, axes),
        **_tube_figures(tube, body, axes),
        **_spinous_figures(vertebra.of(Structure.SPINOUS_PROCESS), centre, axes),
        **_articular_figures(vertebra),
        **_facing_figures(vertebra, body, axes),
        **_costal_figures(vertebra, centre, axes),
    }


def is_tall(figures: Mapping[str, float]) -> bool:
    """Say whether a body is so high that it has a dens, also where the border cuts it.

    Examples
    --------
    >>> is_tall({"height": 3.6, "depth": 2.6}), is_tall({"height": 2.6, "depth": 2.6}), is_tall({})
    (True, False, False)
    """
    ratio = figures.get("height", 0.0) - figures.get("depth", np.inf)
    return "tall" in figures or bool(ratio > np.log(TALL))


def _axes(down: Points) -> Points:
    """Rows: along the spine, backwards, to the left; orthonormal."""
    is_lying = abs(float(down[1])) > _LYING
    back = np.array([0.0, 0.0, 1.0] if is_lying else [0.0, 1.0, 0.0])
    back = back - (back @ down) * down
    back /= np.linalg.norm(back)
    return np.array([down, back, np.cross(down, back)])


def _length(values: Points) -> float:
    """Length of a bar with this variance: edges count by their voxels, not by the outermost one."""
    return max(float(np.sqrt(12.0 * values.var())), _LEAST_MM)


def _middle(body: Voxels) -> Voxels:
    areas = np.bincount(body.index[:, _SLICE])
    return body.only(areas[body.index[:, _SLICE]] >= MIDDLE_SHARE * areas.max())


def _body_figures(body: Voxels, axes: Points) -> dict[str, float]:
    middle = _middle(body)
    along, behind, _ = axes @ (middle.lps - middle.lps.mean(axis=0)).T
    height, depth = _length(along), _length(behind)
    down = axes[0]
    figures = {
        "height": np.log(height),
        "depth": np.log(depth),
        "tilt": np.degrees(np.arctan2(down[1], -down[2])),
    }
    if not body.touches(_SLICE):
        sideways = axes[2] @ body.lps.T
        figures["width"] = np.log(_length(sideways))
    return {name: float(value) for name, value in figures.items()}


def _cut_figures(body: Voxels, axes: Points) -> dict[str, float]:
    """Logarithm of the height in view over the depth, where it is more than most bodies have."""
    middle = _middle(body)
    along, behind, _ = axes @ (middle.lps - middle.lps.mean(axis=0)).T
    slenderness = float(np.ptp(along)) / _length(behind)
    return {"tall": float(np.log(slenderness))} if slenderness > TALL else {}


def _tube_figures(tube: Voxels, body: Voxels, axes: Points) -> dict[str, float]:
    """Size of the canal and share of its length with cord, beside the body's middle half."""
    middle = _middle(body)
    along, _, beside = axes @ (tube.lps - middle.lps.mean(axis=0)).T
    half = _length(axes[0] @ middle.lps.T) / 4
    near = tube.only((np.abs(along) <= half) & (np.abs(beside) <= _BESIDE_MM))
    if near.count < _LEAST_VOXELS:
        return {}
    rows = np.unique(near.index[:, _ROW])
    with_cord = np.unique(near.of(Structure.CORD).index[:, _ROW])
    return {"cord": float(len(with_cord) / len(rows))}


def _spinous_figures(process: Voxels, centre: Points, axes: Points) -> dict[str, float]:
    if process.count < _LEAST_VOXELS or process.touches(_COLUMN) or process.touches(_ROW):
        return {}
    along, behind, _ = axes @ (process.lps - centre).T
    return {
        "spinous_drop": float(np.degrees(np.arctan2(along.mean(), behind.mean()))),
        "spinous_height": float(np.log(_length(along))),
    }


def _articular_figures(vertebra: Voxels) -> dict[str, float]:
    figures = {}
    for name, pair in (("superior", _SUPERIOR), ("inferior", _INFERIOR)):
        sides = [vertebra.of(label) for label in pair]
        if all(side.count >= _LEAST_VOXELS and not side.touches(_SLICE) for side in sides):
            volume = sum(side.count for side in sides) * vertebra.volume_mm3
            figures[f"{name}_volume"] = float(np.log(volume))
            figures[f"{name}_depth"] = float(
                np.log(np.mean([_length(side.lps[:, 1]) for side in sides]))
            )
    return figures


def _facing_figures(vertebra: Voxels, body: Voxels, axes: Points) -> dict[str, float]:
    """How far behind the body the upper joints lie: thoracic ones face back, lumbar ones inwards.

    So the lumbar ones stand further back, in one step between the last thoracic and the first
    lumbar vertebra.
    """
    sides = [vertebra.of(label) for label in _SUPERIOR]
    if any(side.count < _LEAST_VOXELS for side in sides):
        return {}
    middle = _middle(body)
    behind = axes[1] @ (middle.lps - body.lps.mean(axis=0)).T
    back = axes[1] @ (np.concatenate([s.lps for s in sides]) - body.lps.mean(axis=0)).T
    return {"superior_behind": float(back.mean() - _length(behind) / 2)}


def _costal_figures(vertebra: Voxels, centre: Points, axes: Points) -> dict[str, float]:
    """How far the transverse processes reach aside.

    Processes that the image's border cuts reach at least so far: ``costal_beyond``.
    """
    sides = [vertebra.of(label) for label in TRANSVERSE_PROCESSES]
    if any(side.count < _LEAST_VOXELS for side in sides):
        return {}
    places = [axes @ (side.lps - centre).T for side in sides]
    reaches = [max(float(np.abs(beside).max()), _LEAST_MM) for _, _, beside in places]
    cut = [reach for reach, side in zip(reaches, sides, strict=True) if side.touches(_SLICE)]
    if cut:
        return {"costal_beyond": float(np.log(max(cut)))}
    return {"costal_reach": float(np.log(np.mean(reaches)))}

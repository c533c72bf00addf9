"""A result as pictures show it: three sections that follow the spine, and what a legend says.

Everything that any picture of a result needs, chosen once. ``panels`` and ``overlay`` draw it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import SACRUM_INSTANCE
from operators.anatomy.levels import texts_of, tones_of
from operators.anatomy.vertebrae import vertebrae_among
from operators.errors import GeometryError
from operators.imaging.curved_view import SAGITTAL, CurvedView, curved_view, field_of_view
from operators.imaging.orientation import reorient
from operators.imaging.panels import Section, present, window_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from operators.anatomy.levels import LevelName
    from operators.imaging.panels import Labels
    from operators.imaging.volume import LabelMap, Volume


@dataclass(frozen=True, slots=True)
class Scene:
    """A result as it is shown: everything that any of its pictures needs.

    Attributes
    ----------
    middle, lateral, coronal : Section
        Along the canal, beside it, and through the bodies.
    is_curved : bool
        Whether the sagittal sections are put together from several slices.
    places : tuple of 3 str
        Where the sections lie, for readers.
    window : tuple of 2 float
        Grey values drawn black and white.
    structures, vertebrae : tuple of int
        Labels that the whole maps hold.
    has_sacrum : bool
        Whether the instance map shows the sacrum.
    levels : mapping of int to str
        What is said about levels, by vertebra id.
    tones : mapping of int to int
        Levels in whose colours the vertebrae are shown (`operators.anatomy.levels.tones_of`).
    """

    middle: Section
    lateral: Section
    coronal: Section
    is_curved: bool
    places: tuple[str, str, str]
    window: tuple[float, float]
    structures: tuple[int, ...]
    vertebrae: tuple[int, ...]
    has_sacrum: bool
    levels: Mapping[int, str]
    tones: Mapping[int, int]


def scene_of(
    volume: Volume,
    semantic: LabelMap,
    instances: LabelMap,
    levels: Mapping[int, LevelName] | None = None,
) -> Scene:
    """Choose what to show of a result.

    Parameters
    ----------
    volume : Volume
        The source image, any orientation.
    semantic, instances : LabelMap
        Results on its grid.
    levels : mapping of int to LevelName, optional
        What is known of the levels, by vertebra id.

    Raises
    ------
    GeometryError
        ``grid_mismatch``: a map has another shape than the image.
    """
    if not volume.voxels_zyx.shape == semantic.labels_zyx.shape == instances.labels_zyx.shape:
        raise GeometryError("image and label maps differ in shape", reasons=("grid_mismatch",))
    shown = reorient(volume, SAGITTAL)
    maps = (reorient(semantic, SAGITTAL).labels_zyx, reorient(instances, SAGITTAL).labels_zyx)
    box = field_of_view((maps[0] > 0) | (maps[1] > 0), shown.spacing_zyx_mm)
    image = np.nan_to_num(np.asarray(shown.voxels_zyx[box], dtype=np.float32))
    arrays = (image, maps[0][box], maps[1][box])
    view = curved_view(arrays[1], shown.spacing_zyx_mm)
    step, down, across = shown.spacing_zyx_mm
    offset = view.lateral_offset
    found = present(maps[1])
    return Scene(
        middle=_section(view.sagittal, arrays, (down, across), "SIAP"),
        lateral=_section(partial(view.sagittal, offset=offset), arrays, (down, across), "SIAP"),
        coronal=_section(view.coronal, arrays, (down, step), "SIRL"),
        is_curved=not view.is_straight,
        places=_places(view, image.shape[0], step),
        window=window_of(image),
        structures=tuple(present(maps[0])),
        vertebrae=vertebrae_among(found),
        has_sacrum=SACRUM_INSTANCE in found,
        levels=texts_of(levels or {}),
        tones=tones_of(levels or {}),
    )


def _section(
    cut: Callable[[NDArray[np.generic]], NDArray[np.generic]],
    arrays: tuple[NDArray[np.float32], Labels, Labels],
    spacing_mm: tuple[float, float],
    edges: str,
) -> Section:
    image, semantic, instances = arrays
    return Section(
        image=np.asarray(cut(image), dtype=np.float32),
        semantic=np.asarray(cut(semantic), dtype=semantic.dtype),
        instances=np.asarray(cut(instances), dtype=instances.dtype),
        spacing_mm=spacing_mm,
        edges=edges,
    )


def _places(view: CurvedView, slices: int, step_mm: float) -> tuple[str, str, str]:
    side = "right" if view.lateral_offset > 0 else "left"
    beside = f"{abs(view.lateral_offset) * step_mm:.0f} mm to the {side}"
    coronal = "coronal, along the bodies"
    if not view.is_straight:
        return "mid-sagittal, along the canal", f"{beside}, along the canal", coronal
    number = int(view.middle[0]) + 1
    middle = f"mid-sagittal, slice {number} of {slices}"
    return middle, f"{beside}, slice {number + view.lateral_offset} of {slices}", coronal

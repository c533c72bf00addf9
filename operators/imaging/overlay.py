"""A picture of a result: two sagittal slices with structures and instances laid over the image.

For people: what was found, where, and in which colour. The slices are chosen from the labels; the
picture shows patient orientation (anterior left, superior up) and true proportions, whatever the
orientation of the volume. It is no measurement and resamples nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from operators.anatomy.codes import STRUCTURES
from operators.anatomy.colours import STRUCTURE_COLOURS, Rgb, instance_colour
from operators.anatomy.labels import SACRUM_INSTANCE, Structure
from operators.anatomy.levels import PROBABLY
from operators.anatomy.vertebrae import LEVEL_NAMES, ordinal_text, vertebrae_among
from operators.errors import GeometryError
from operators.imaging.orientation import reorient
from operators.imaging.sagittal_view import SAGITTAL, display_slices, field_of_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap, Volume

_NOTICE = "research use only, not for diagnosis"
_GROUND, _INK, _QUIET = "#101418", "#f2f4f6", "#9aa5b1"
_PANEL_HEIGHT_INCH = 5.0
_LEGEND_WIDTH_INCH = 2.9
_DOTS_PER_INCH = 130
_FINE = 4
"""Each voxel is drawn as 4 x 4 dots, so that outlines are a quarter of a voxel thin."""
_FILL_ALPHA, _LINE_ALPHA = 0.42, 0.95
_MAX_PANEL_ASPECT = 1.6
_GAMMA = 0.8
"""Lifts bone, which is dark beside cerebrospinal fluid in T2w."""
_EDGES = {(0.02, 0.5): "A", (0.98, 0.5): "P", (0.5, 0.98): "S", (0.5, 0.02): "I"}
_LONG_LEGEND = 18


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything in display orientation."""

    image: NDArray[np.float32]
    semantic: NDArray[np.unsignedinteger]
    instances: NDArray[np.unsignedinteger]
    spacing_mm: tuple[float, float, float]
    window: tuple[float, float]
    levels: Mapping[int, str]


def render_overlay(  # noqa: PLR0917  image, two results, where to, what to call it
    volume: Volume,
    semantic: LabelMap,
    instances: LabelMap,
    path: Path,
    title: str,
    *,
    levels: Mapping[int, str] | None = None,
) -> None:
    """Write the picture of a result as PNG.

    Parameters
    ----------
    volume : Volume
        The source image.
    semantic, instances : LabelMap
        Results on the grid of ``volume``.
    path : Path
        File to write; its folder exists.
    title : str
        First line of the picture; free of patient data.
    levels : mapping of int to str, optional
        What is said about the level of vertebrae, by id.

    Raises
    ------
    GeometryError
        If a map has another shape than the image.

    Notes
    -----
    The same input gives the same bytes with the same version of matplotlib.
    """
    if not volume.voxels_zyx.shape == semantic.labels_zyx.shape == instances.labels_zyx.shape:
        raise GeometryError("image and label maps differ in shape", reasons=("grid_mismatch",))
    scene = _scene(volume, semantic, instances, levels or {})
    middle, lateral = display_slices(scene.semantic, scene.spacing_mm[0])
    figure = _draw(scene, (middle, lateral), title)
    buffer = BytesIO()
    figure.savefig(
        buffer, format="png", dpi=_DOTS_PER_INCH, facecolor=_GROUND, metadata={"Software": None}
    )
    path.write_bytes(buffer.getvalue())


def _scene(
    volume: Volume, semantic: LabelMap, instances: LabelMap, levels: Mapping[int, str]
) -> _Scene:
    shown = reorient(volume, SAGITTAL)
    structures = reorient(semantic, SAGITTAL).labels_zyx
    vertebrae = reorient(instances, SAGITTAL).labels_zyx
    view = field_of_view((structures > 0) | (vertebrae > 0), shown.spacing_zyx_mm)
    image = np.nan_to_num(np.asarray(shown.voxels_zyx[view], dtype=np.float32))
    low, high = (float(v) for v in np.percentile(image, (1.0, 99.0)))
    return _Scene(
        image=image,
        semantic=structures[view],
        instances=vertebrae[view],
        spacing_mm=shown.spacing_zyx_mm,
        window=(low, high if high > low else low + 1.0),
        levels=levels,
    )


def _draw(scene: _Scene, slices: tuple[int, int], title: str) -> Figure:
    _, rows, columns = scene.image.shape
    height_mm, width_mm = rows * scene.spacing_mm[1], columns * scene.spacing_mm[2]
    panel = _PANEL_HEIGHT_INCH * min(width_mm / height_mm, _MAX_PANEL_ASPECT)
    width = 3 * panel + _LEGEND_WIDTH_INCH + 0.6
    height = 2 * _PANEL_HEIGHT_INCH + 1.15
    figure = Figure(figsize=(width, height), facecolor=_GROUND)
    FigureCanvasAgg(figure)
    right = 1.0 - (_LEGEND_WIDTH_INCH + 0.05) / width
    grid = figure.add_gridspec(2, 3, wspace=0.02, hspace=0.02)
    grid.update(left=0.42 / width, right=right, bottom=0.42 / height, top=1.0 - 0.72 / height)
    for row, index in enumerate(slices):
        axes = [figure.add_subplot(grid[row, column]) for column in range(3)]
        _draw_row(axes, scene, index)
        axes[0].set_ylabel(_place(index, slices[0], scene), color=_QUIET, fontsize=10)
        if row == 0:
            for axis, name in zip(axes, ("Image", "Structures", "Instances"), strict=True):
                axis.set_title(name, color=_INK, fontsize=12, pad=5)
    figure.text(0.42 / width, 1 - 0.3 / height, title, color=_INK, fontsize=14, weight="bold")
    figure.text(0.42 / width, 0.15 / height, _NOTICE, color="#ffb4a2", fontsize=11)
    _draw_legend(figure, scene, 1.0 - _LEGEND_WIDTH_INCH / width)
    return figure


def _draw_row(axes: list[Axes], scene: _Scene, index: int) -> None:
    aspect = scene.spacing_mm[1] / scene.spacing_mm[2]
    _, rows, columns = scene.image.shape
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    for axis in axes:
        axis.imshow(
            scene.image[index],
            cmap="gray",
            norm=PowerNorm(_GAMMA, *scene.window, clip=True),
            extent=extent,
            aspect=aspect,
            interpolation="bicubic",
        )
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_facecolor("black")
        for spine in axis.spines.values():
            spine.set_visible(False)
    for axis, labels, colour in (
        (axes[1], scene.semantic[index], STRUCTURE_COLOURS.__getitem__),
        (axes[2], scene.instances[index], instance_colour),
    ):
        axis.imshow(_painted(labels, colour), extent=extent, aspect=aspect, interpolation="nearest")
    _draw_numbers(axes[2], scene, index)
    for place, letter in _EDGES.items():
        _write(axes[0], letter, place, "axes fraction")


def _write(axis: Axes, text: str, place: tuple[float, float], coordinates: str) -> None:
    axis.annotate(
        text,
        place,
        xycoords=coordinates,
        color="white",
        fontsize=9.5,
        weight="bold",
        ha="center",
        va="center",
        path_effects=[withStroke(linewidth=2.2, foreground="black")],
    )


def _painted(
    labels: NDArray[np.unsignedinteger], colour: Callable[[int], Rgb]
) -> NDArray[np.float32]:
    """RGBA picture of a label slice: translucent areas with thin opaque outlines."""
    fine = labels.repeat(_FINE, axis=0).repeat(_FINE, axis=1)
    padded = np.pad(fine, 1, mode="edge")
    edge = np.zeros(fine.shape, dtype=bool)
    for neighbour in (padded[2:, 1:-1], padded[:-2, 1:-1], padded[1:-1, 2:], padded[1:-1, :-2]):
        edge |= neighbour != fine
    picture = np.zeros((*fine.shape, 4), dtype=np.float32)
    for label in np.unique(fine):
        if label:
            here = fine == label
            picture[here, :3] = np.array(colour(int(label)), dtype=np.float32) / 255.0
            picture[here, 3] = np.where(edge[here], _LINE_ALPHA, _FILL_ALPHA)
    return picture


def _draw_numbers(axis: Axes, scene: _Scene, index: int) -> None:
    labels, bodies = scene.instances[index], scene.semantic[index] == Structure.CORPUS
    for vertebra in vertebrae_among(_present(scene.instances)):
        here = labels == vertebra
        rows, columns = np.nonzero(here & bodies if (here & bodies).any() else here)
        if rows.size:
            place = (float(np.median(columns)), float(np.median(rows)))
            _write(axis, _short(vertebra, scene.levels), place, "data")


def _short(vertebra: int, levels: Mapping[int, str]) -> str:
    """Write number and level, as there is room for on a bone: ``7 L4``, ``7 L4?`` if probable.

    A piece of the sacrum, which has a number only by mistake, gets ``7 S?``.
    """
    text = levels.get(vertebra, "")
    name = text.removeprefix(PROBABLY)
    if name not in LEVEL_NAMES.values():
        return f"{vertebra} S?" if name else str(vertebra)
    return f"{vertebra} {name}" + ("?" if text != name else "")


def _draw_legend(figure: Figure, scene: _Scene, left: float) -> None:
    structures = set(_present(scene.semantic))
    entries = [
        (terms.name, STRUCTURE_COLOURS[label])
        for label, terms in STRUCTURES.items()
        if label in structures
    ]
    _legend(figure, "Structures", entries, (left, 0.93))
    found = set(_present(scene.instances))
    vertebrae = vertebrae_among(found)
    numbered = [(ordinal_text(v, vertebrae, scene.levels), instance_colour(v)) for v in vertebrae]
    if SACRUM_INSTANCE in found:
        numbered.append(("sacrum", instance_colour(SACRUM_INSTANCE)))
    _legend(figure, "Instances\n(discs paler, endplates darker)", numbered, (left, 0.50))


def _legend(
    figure: Figure, title: str, entries: Sequence[tuple[str, Rgb]], corner: tuple[float, float]
) -> None:
    if not entries:
        return
    patches = [
        Patch(facecolor=(red / 255.0, green / 255.0, blue / 255.0), label=name)
        for name, (red, green, blue) in entries
    ]
    size = 10.0 if len(entries) <= _LONG_LEGEND else 8.0
    legend = figure.legend(
        handles=patches,
        title=title,
        title_fontsize=size,
        loc="upper left",
        bbox_to_anchor=corner,
        frameon=False,
        labelcolor=_INK,
        fontsize=size,
        borderaxespad=0.0,
        handlelength=1.2,
        handleheight=1.0,
        labelspacing=0.35,
        alignment="left",
    )
    legend.get_title().set_color(_QUIET)


def _place(index: int, middle: int, scene: _Scene) -> str:
    number = f"slice {index + 1} of {scene.image.shape[0]}"
    if index == middle:
        return f"mid-sagittal, {number}"
    side = "right" if index > middle else "left"
    return f"{abs(index - middle) * scene.spacing_mm[0]:.0f} mm to the {side}, {number}"


def _present(labels: NDArray[np.unsignedinteger]) -> list[int]:
    return [int(label) for label in np.unique(labels) if label]

"""What a training leaves for people: curves and held-out examples as pictures, figures as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from app.errors import OutputUnwritableError
from operators.anatomy.labels import MODEL_STRUCTURES, Structure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from app.research.training.loop import History

_COLOURS: Final = (
    *("#1f77b4", "#17becf", "#2ca02c", "#98df8a", "#9467bd", "#c5b0d5", "#8c564b", "#c49c94"),
    *("#ff7f0e", "#d62728", "#e377c2", "#7f7f7f", "#bcbd22", "#00ff7f", "#dbdb8d", "#9edae5"),
)
"""One per class: sides of a pair in a dark and a light tone."""

_KEYS: Final = (
    tuple(f"dice_{label}" for label in MODEL_STRUCTURES),
    ("dice_above", "dice_centre", "dice_below"),
)
"""Validation figures in the order of the classes, phase by phase."""

_COLOUR_OF: Final = {
    key: colour for keys in _KEYS for key, colour in zip(keys, _COLOURS, strict=False)
}
"""A structure has one colour in curves and pictures, whatever else was annotated."""

_DPI: Final = 100


@dataclass(frozen=True, slots=True)
class Example:
    """One slice of a held-out sample, arrays [I, P].

    Attributes
    ----------
    shown : (I, P) ndarray
        What the network saw.
    reference, found : (I, P) ndarray of int
        Classes, 0 = background.
    keys : tuple of str
        What classes 1, 2, ... are, as the validation figures call them.
    """

    shown: NDArray[Any]
    reference: NDArray[np.integer]
    found: NDArray[np.integer]
    keys: tuple[str, ...] = _KEYS[0]


def fullest_slice(volume: NDArray[np.integer]) -> int:
    """Index along the first axis of the slice with the most labelled voxels."""
    return int(np.count_nonzero(volume, axis=(1, 2)).argmax())


def write_report(
    folder: Path,
    name: str,
    history: History,
    facts: dict[str, Any],
    examples: Sequence[Example] = (),
) -> Path:
    """Write ``<name>-report.json``, ``<name>-curves.png`` and ``<name>-held-out.png``.

    Parameters
    ----------
    folder : Path
        Exists already.
    name : str
        Of the run, such as ``semantic-fold0``.
    history : History
        Losses and validation figures by step.
    facts : dict
        Settings and sources; plain JSON types.
    examples : sequence of Example
        Held-out samples; without any, there is no such picture.

    Returns
    -------
    Path
        The JSON file.

    Raises
    ------
    OutputUnwritableError
        If the folder cannot be written.
    """
    document = {
        **facts,
        "losses": [
            {"step": s, "cross_entropy": round(e, 4), "dice_loss": round(d, 4)}
            for s, e, d in history.losses
        ],
        "validation": history.validation,
    }
    path = folder / f"{name}-report.json"
    try:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        _curves(history, name).savefig(folder / f"{name}-curves.png", dpi=_DPI)
        if examples:
            _pictures(examples, name).savefig(folder / f"{name}-held-out.png", dpi=_DPI)
    except OSError as error:
        raise OutputUnwritableError(f"the report cannot be written: {error.strerror}") from error
    return path


def _curves(history: History, name: str) -> Figure:
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = [entry[0] for entry in history.losses]
    left.plot(steps, [entry[1] for entry in history.losses], ".-", label="cross-entropy")
    left.plot(steps, [entry[2] for entry in history.losses], ".-", label="Dice loss")
    left.set(xlabel="step", ylabel="loss", title=f"{name}: training", ylim=(0, None))
    left.legend()
    keys = [key for entry in history.validation for key in entry if key != "step"]
    for key in dict.fromkeys(keys):
        points = [(e["step"], e[key]) for e in history.validation if key in e]
        right.plot(*zip(*points, strict=True), ".-", color=_COLOUR_OF[key], label=figure_name(key))
    right.set(xlabel="step", ylabel="Dice", title="held out", ylim=(0, 1))
    for axes in (left, right):
        axes.set_xlim(0, 1.02 * max(steps, default=1))
    if not history.validation:
        right.text(0.5, 0.5, "not validated", ha="center", transform=right.transAxes)
    if right.lines:
        figure.legend(*right.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure


def figure_name(key: str) -> str:
    """Readable name of a validation figure, ``dice_49`` as ``corpus``.

    Examples
    --------
    >>> figure_name("dice_43"), figure_name("dice_above")
    ('costal process left', 'above')
    """
    name = key.removeprefix("dice_")
    return Structure(int(name)).name.lower().replace("_", " ") if name.isdigit() else name


def _pictures(examples: Sequence[Example], name: str) -> Figure:
    figure = Figure(figsize=(9, 3.2 * len(examples)), layout="constrained")
    figure.suptitle(f"{name}: held-out samples, fullest slice")
    for row, example in zip(
        figure.subplots(len(examples), 3, squeeze=False), examples, strict=True
    ):
        for axes, title, classes in (
            (row[0], "input", None),
            (row[1], "reference", example.reference),
            (row[2], "found", example.found),
        ):
            _panel(axes, example.shown, classes)
            axes.set_title(title, fontsize=9)
    figure.legend(handles=_legend(examples), loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _legend(examples: Sequence[Example]) -> list[Patch]:
    """Make a patch for each class that is to be seen."""
    seen = {
        example.keys[number - 1]
        for example in examples
        for number in np.unique([*example.reference.flat, *example.found.flat]).tolist()
        if number
    }
    keys = [key for key in _COLOUR_OF if key in seen]
    return [Patch(color=_COLOUR_OF[key], label=figure_name(key)) for key in keys]


def _panel(axes: Axes, shown: NDArray[Any], classes: NDArray[np.integer] | None) -> None:
    axes.set_axis_off()
    low, high = np.percentile(shown, (1, 99))
    axes.imshow(shown, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
    if classes is not None:
        colours = ListedColormap(_COLOURS)
        masked = np.ma.masked_equal(classes, 0) - 1
        axes.imshow(masked, cmap=colours, vmin=-0.5, vmax=len(_COLOURS) - 0.5, alpha=0.55)

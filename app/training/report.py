"""What a training leaves for people: curves and held-out examples as pictures, figures as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from operators.anatomy.labels import Structure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from app.training.loop import History

_COLOURS: Final = (
    *("#1f77b4", "#17becf", "#2ca02c", "#98df8a", "#9467bd", "#c5b0d5", "#8c564b", "#c49c94"),
    *("#ff7f0e", "#d62728", "#e377c2", "#7f7f7f", "#bcbd22", "#00ff7f", "#dbdb8d", "#9edae5"),
)
"""One per class: sides of a pair in a dark and a light tone."""

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
    """

    shown: NDArray[Any]
    reference: NDArray[np.integer]
    found: NDArray[np.integer]


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
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _curves(history, name).savefig(folder / f"{name}-curves.png", dpi=_DPI)
    if examples:
        _pictures(examples, name).savefig(folder / f"{name}-held-out.png", dpi=_DPI)
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
    for colour, key in zip(_COLOURS, dict.fromkeys(keys), strict=False):
        points = [(e["step"], e[key]) for e in history.validation if key in e]
        right.plot(*zip(*points, strict=True), ".-", color=colour, label=figure_name(key))
    right.set(xlabel="step", ylabel="Dice", title="held out", ylim=(0, 1))
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
    return figure


def _panel(axes: Axes, shown: NDArray[Any], classes: NDArray[np.integer] | None) -> None:
    axes.set_axis_off()
    low, high = np.percentile(shown, (1, 99))
    axes.imshow(shown, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
    if classes is not None:
        colours = ListedColormap(_COLOURS)
        masked = np.ma.masked_equal(classes, 0) - 1
        axes.imshow(masked, cmap=colours, vmin=-0.5, vmax=len(_COLOURS) - 0.5, alpha=0.55)

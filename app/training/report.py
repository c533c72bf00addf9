"""What a training leaves for people: curves as a picture, figures as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from app.training.loop import History


def write_report(folder: Path, name: str, history: History, facts: dict[str, Any]) -> Path:
    """Write ``<name>-report.json`` and ``<name>-curves.png``.

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
    _curves(history, name).savefig(folder / f"{name}-curves.png", dpi=100)
    return path


def _curves(history: History, name: str) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = [entry[0] for entry in history.losses]
    left.plot(steps, [entry[1] for entry in history.losses], label="cross-entropy")
    left.plot(steps, [entry[2] for entry in history.losses], label="Dice loss")
    left.set(xlabel="step", ylabel="loss", title=f"{name}: training", ylim=(0, None))
    figures = sorted({key for entry in history.validation for key in entry} - {"step"})
    for key in figures:
        points = [(e["step"], e[key]) for e in history.validation if key in e]
        right.plot(*zip(*points, strict=True), label=key.removeprefix("dice_"))
    right.set(xlabel="step", ylabel="Dice", title="held out", ylim=(0, 1))
    for axes in (left, right):
        if axes.lines:
            axes.legend(fontsize=6, ncols=2)
    return figure

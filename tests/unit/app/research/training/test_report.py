"""The report holds every figure, also of a run without held-out cases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from app.errors import OutputUnwritableError
from app.research.training.loop import History
from app.research.training.report import Example, figure_name, fullest_slice, write_report
from operators.anatomy.labels import MODEL_STRUCTURES


def test_a_run_without_validation_still_gets_its_curves(tmp_path: Path) -> None:
    history = History(losses=[(50, 1.23456, 0.5), (100, 0.9, 0.4)])
    path = write_report(tmp_path, "semantic-compact-fold0", history, {"seed": 7})
    report = json.loads(path.read_text("utf-8"))
    assert report["seed"] == 7
    assert report["losses"][0] == {"step": 50, "cross_entropy": 1.2346, "dice_loss": 0.5}
    assert report["validation"] == []
    assert (tmp_path / "semantic-compact-fold0-curves.png").stat().st_size > 5000
    assert not (tmp_path / "semantic-compact-fold0-held-out.png").exists()


def test_one_checkpoint_of_14_structures_is_seen_in_14_colours(tmp_path: Path) -> None:
    labels = (*range(41, 50), 60, 61, 62, 100, 26)
    empty, full = (
        History(losses=[(4, 2.9, 0.9)], validation=[{"step": 4.0, **figures}])
        for figures in ({}, {f"dice_{n}": 0.05 * k for k, n in enumerate(labels, start=1)})
    )
    tones = []
    for name, history in (("empty", empty), ("full", full)):
        write_report(tmp_path, name, history, {})
        pixels = imread(tmp_path / f"{name}-curves.png")[..., :3].reshape(-1, 3)
        found = {tuple(tone) for tone in np.round(pixels[::1] * 255).astype(int)}
        tones.append({tone for tone in found if max(tone) - min(tone) > 40})
    assert len(tones[1] - tones[0]) >= 11  # without the grey and black ones


def test_the_held_out_picture_shows_every_example(tmp_path: Path) -> None:
    image = np.tile(np.linspace(0, 1, 32), (48, 1))
    classes = np.zeros((48, 32), int)
    classes[10:40, 8:24] = 9
    examples = [Example(image, classes, np.roll(classes, 4, 0))] * 3
    write_report(tmp_path, "run", History(), {}, examples)
    assert imread(tmp_path / "run-held-out.png").shape[:2] == (960, 900)


def test_names_are_words_and_the_fullest_slice_has_the_most_labels() -> None:
    assert [figure_name(f"dice_{n}") for n in ("100", "45", "below")] == [
        *("disc", "superior articular left", "below"),
    ]
    volume = np.zeros((3, 2, 2), int)
    volume[1] = 7
    volume[2, 0] = 9
    assert fullest_slice(volume) == 1


def test_a_structure_has_the_same_colour_in_curves_and_held_out_pictures(tmp_path: Path) -> None:
    classes = np.zeros((48, 32), int)
    classes[10:40, 8:24] = MODEL_STRUCTURES.index(100) + 1  # a data set that marks nothing else
    history = History(losses=[(4, 2.9, 0.9)], validation=[{"step": 4.0, "dice_100": 0.5}])
    write_report(tmp_path, "run", history, {}, [Example(np.zeros((48, 32)), classes, classes)])
    tones = []
    for kind in ("curves", "held-out"):
        pixels = np.round(imread(tmp_path / f"run-{kind}.png")[..., :3].reshape(-1, 3) * 255)
        tones.append({tuple(tone) for tone in pixels.astype(int)})
    colour = (188, 189, 34)  # of the legends' patches
    assert colour in tones[0]
    assert colour in tones[1]


def test_a_report_on_a_full_disk_is_an_error_with_a_name(tmp_path: Path) -> None:
    (tmp_path / "run-report.json").mkdir()
    with pytest.raises(OutputUnwritableError, match="the report cannot be written"):
        write_report(tmp_path, "run", History(), {})

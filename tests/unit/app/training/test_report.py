"""The report holds every figure, also of a run without held-out cases."""

from __future__ import annotations

import json
from pathlib import Path

from app.training.loop import History
from app.training.report import write_report


def test_a_run_without_validation_still_gets_its_curves(tmp_path: Path) -> None:
    history = History(losses=[(50, 1.23456, 0.5), (100, 0.9, 0.4)])
    path = write_report(tmp_path, "semantic-compact-fold0", history, {"seed": 7})
    report = json.loads(path.read_text("utf-8"))
    assert report["seed"] == 7
    assert report["losses"][0] == {"step": 50, "cross_entropy": 1.2346, "dice_loss": 0.5}
    assert report["validation"] == []
    assert (tmp_path / "semantic-compact-fold0-curves.png").stat().st_size > 5000

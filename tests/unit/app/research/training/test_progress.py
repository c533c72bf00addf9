"""A training tells machines every step and a log file now and then."""

from __future__ import annotations

import json

import pytest

from app.research.training.progress import telling


def test_json_lines_carry_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    with telling(as_json=True) as listener:
        listener.data("synthetic spines", 1, 2)
        listener.step(0, 7, 100, 0.12345, 0.5)
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == {"event": "data", "what": "synthetic spines", "done": 1, "total": 2}
    assert (second["step"], second["cross_entropy"], second["dice_loss"]) == (7, 0.1235, 0.5)


def test_without_a_terminal_there_is_a_line_per_50_steps_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with telling(as_json=False) as listener:
        for done in range(1, 61):
            listener.data("annotated images", done, 60)
        for step in range(1, 121):
            listener.step(0, step, 120, 0.5, 0.25)
    assert capsys.readouterr().err.splitlines() == [
        "annotated images: 50 of 60",
        "annotated images: 60 ready",
        "fold 0, step 50/120: cross-entropy 0.500, Dice loss 0.250",
        "fold 0, step 100/120: cross-entropy 0.500, Dice loss 0.250",
        "fold 0, step 120/120: cross-entropy 0.500, Dice loss 0.250",
    ]

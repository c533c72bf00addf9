"""A documented command that trains the bundled phase 1 further names the preset it was made by."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.research.training.formats import architecture
from app.research.training.presets import SEMANTIC_PRESETS

ROOT = Path(__file__).resolve().parents[3]
BUNDLED = "models/spine_t2w_compact"
COMMANDS = re.compile(rf"[^`\n]*--start {BUNDLED}[^`\n]*")


@pytest.mark.parametrize("page", ["docs/researcher.md", f"{BUNDLED}/MODEL_CARD.md"])
def test_going_on_from_the_bundled_model_names_a_preset_of_its_network_and_grid(page: str) -> None:
    plans = json.loads((ROOT / BUNDLED / "plans.json").read_text("utf-8"))
    bundled = plans["configurations"]["3d_fullres"]
    commands = COMMANDS.findall((ROOT / page).read_text("utf-8"))
    assert commands
    for command in commands:
        named = re.search(r"--preset (\w+)", command)
        preset = SEMANTIC_PRESETS[named[1] if named else "compact"]
        assert architecture(preset.design) == bundled["architecture"], command
        assert list(preset.grid.spacing_mm) == bundled["spacing"], command

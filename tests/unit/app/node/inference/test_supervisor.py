from __future__ import annotations

from pathlib import Path

from app.node.inference.child import _parse
from app.node.inference.supervisor import child_command
from app.settings import InferenceSettings, ModelSettings, SelectionOptions, load_settings


def test_the_child_gets_exactly_the_settings_of_its_parent():
    models = ModelSettings(directory=Path("/a b/models"), semantic="one", instance="two")
    inference = InferenceSettings(device="cpu", precision="bf16", threads=3)
    selection = SelectionOptions(reject_other_body_parts=False)
    sections = {"models": models, "inference": inference, "selection": selection}
    command = child_command(load_settings().model_copy(update=sections))
    assert command[1:3] == ("-m", "app.node.inference.child")
    read = _parse(command[3:])
    assert (read.models, read.inference, read.selection) == (models, inference, selection)

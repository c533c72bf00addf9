"""A state is read by the training that wrote it, and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from app.errors import ConfigurationError
from app.research.training.own_state import read_own_state


def test_no_state_yet_is_none_and_an_own_one_is_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    assert read_own_state(path, {"seed": 3}) is None
    torch.save({"step": 7, "identity": {"seed": 3}}, path)
    assert read_own_state(path, {"seed": 3}) == {"step": 7, "identity": {"seed": 3}}


def test_the_difference_is_named_and_what_an_old_version_did_not_say_is_none(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.pt"
    torch.save({"step": 7, "identity": {"seed": 3}}, path)
    state = read_own_state(path, {"seed": 3, "folds": 5})
    assert state is not None
    assert state["step"] == 7
    with pytest.raises(ConfigurationError, match="seed is 3 there and 4 here") as raised:
        read_own_state(path, {"seed": 4})
    assert raised.value.reasons == ("other_training",)

"""Whose state a file in the work folder is: looked at before hours go into a training's data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from app.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_own_state(path: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a training's state.

    Parameters
    ----------
    path : Path
        Where the training keeps it.
    identity : mapping of str to plain values
        What makes this training another one; states of old versions say nothing about themselves.

    Returns
    -------
    dict or None
        What was saved; None where there is no such file yet.

    Raises
    ------
    ConfigurationError
        If it is the state of another training (``other_training``).
    """
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    known = state.get("identity", {})
    for name, wanted in identity.items():
        if name in known and known[name] != wanted:
            raise other_training(path, f"{name} is {known[name]} there and {wanted} here")
    return state


def other_training(path: Path, difference: str) -> ConfigurationError:
    """Make the error about a state of another training."""
    message = (
        f"{path.name} in the work folder is the state of another training: {difference}; take "
        "another --work, or delete that file to begin anew"
    )
    return ConfigurationError(message, reasons=("other_training",))

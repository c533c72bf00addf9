"""Is a torch device there? Asked before anything is written."""

from __future__ import annotations

import torch

from app.errors import ConfigurationError


def require_device(device: str) -> None:
    """Refuse a device that cannot be used here.

    Parameters
    ----------
    device : str
        Name of a torch device.

    Raises
    ------
    ConfigurationError
        ``no_such_device``.
    """
    try:
        torch.zeros(1, device=device).tolist()  # "meta" holds no values
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(
            f"the device {device} cannot be used here", reasons=("no_such_device",)
        ) from error

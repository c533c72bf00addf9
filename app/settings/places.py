"""Where models and the usual app.yaml lie."""

from __future__ import annotations

import os
from pathlib import Path

BUNDLED = Path(__file__).resolve().parents[1] / "bundled"
"""What comes with the product: data of the package in a wheel, links in the repository; not in the
image, which has its own places for it."""

BUNDLED_CONFIG = BUNDLED / "app.yaml"
BUNDLED_MODELS = BUNDLED / "models"


def model_places(directory: Path) -> tuple[Path, ...]:
    """Folders in which a model's name is looked up, in this order.

    Parameters
    ----------
    directory : Path
        ``models.directory``, or what the caller named instead.

    Returns
    -------
    tuple of Path
        It, the user's own folder where there is one, and the models that come with the product.
    """
    own = user_models()
    # Not is_dir(): a service may not even look into the homes of users.
    known = [own] if os.access(own, os.R_OK | os.X_OK) else []
    return tuple(dict.fromkeys((directory, *known, BUNDLED_MODELS.resolve())))


def user_models() -> Path:
    """Folder for models that a user adds to an installed wheel, which an upgrade leaves alone.

    References
    ----------
    XDG Base Directory Specification 0.8, ``XDG_DATA_HOME``
    """
    home = os.environ.get("HOME", "")
    data = os.environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    return Path(data) / "spine-node" / "models"

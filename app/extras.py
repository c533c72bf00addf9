"""Packages that only some need, and what is said where they are missing.

Who segments, measures and evaluates needs no services; a node needs no trainers. The extras stand
in ``pyproject.toml``; a test holds this table to them.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final, Literal

from app.errors import ConfigurationError

Extra = Literal["node", "train"]

MODULES: Final[dict[Extra, tuple[str, ...]]] = {
    "node": (
        *("cryptography", "fastapi", "httpx", "prometheus_client", "pynetdicom"),
        *("python_multipart", "uvicorn"),
    ),
    "train": ("monai.networks", "nnunetv2"),
}
"""What each extra brings, by the names that are imported; the Deploy SDK, too, is in ``monai``."""

_MEANS: Final[dict[Extra, str]] = {
    "node": "a PACS node or a command that talks to one",
    "train": "training",
}


def require_extra(extra: Extra) -> None:
    """Refuse a command whose packages are not installed, before it starts.

    Parameters
    ----------
    extra : {"node", "train"}
        What the command needs.

    Raises
    ------
    ConfigurationError
        ``extra_missing``.
    """
    missing = [name for name in MODULES[extra] if not _is_there(name)]
    if missing:
        raise _error(extra, missing[0])


def missing_extra(error: ImportError) -> ConfigurationError | None:
    """Say which extra would bring the module that an import did not find.

    Parameters
    ----------
    error : ImportError
        Of any import.

    Returns
    -------
    ConfigurationError or None
        None where no extra has it: then something is broken, and not merely absent.
    """
    name = error.name or ""
    for extra, modules in MODULES.items():
        if f"{name}.".startswith(tuple(f"{module}." for module in modules)):
            return _error(extra, name)
    return None


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a parent package
        return False


def _error(extra: Extra, module: str) -> ConfigurationError:
    return ConfigurationError(
        f"{module.partition('.')[0]} is not installed: {_MEANS[extra]} needs the extra '{extra}': "
        f"pip install 'spine-node[{extra}]'",
        reasons=("extra_missing",),
    )

"""Proof, at the end of an image build, that nothing the product loads was left out.

It imports every module of both packages as the unprivileged user and compares the models with
their registry. What it cannot see, a run over a study, the acceptance test does.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import TYPE_CHECKING, Final

from app.errors import ConfigurationError
from app.registry import find_model
from app.run.bootstrap import prepare_process
from app.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES: Final = ("operators", "app")
ENTRY_MODULES: Final = frozenset({"app.__main__"})
"""Modules that start something when imported."""

NOT_IN_IMAGE: Final = ("app.cli.demo", "app.research")
"""What the researchers' commands and the demo load; the image does not hold it."""


def modules() -> Iterator[str]:
    """Names of the modules of both packages that the image holds."""
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        for found in pkgutil.walk_packages(path, f"{package}."):
            absent = f"{found.name}.".startswith(tuple(f"{name}." for name in NOT_IN_IMAGE))
            if found.name not in ENTRY_MODULES and not absent:
                yield found.name


def check() -> int:
    """Import every module, verify the models.

    Returns
    -------
    int
        Number of modules imported.

    Raises
    ------
    ConfigurationError
        If a module cannot be imported; it names the module and what is missing.
    ModelUnusableError
        If a model is missing or not as registered.
    """
    prepare_process()
    count = 0
    for name in modules():
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ConfigurationError(f"{name} cannot be imported: {error}") from error
        count += 1
    settings = load_settings()
    for model in (settings.models.semantic, settings.models.instance):
        find_model(settings.models.directory, model)
    return count


if __name__ == "__main__":
    sys.stdout.write(f"{check()} modules imported, models as registered\n")

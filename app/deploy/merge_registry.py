"""Put the bundle's models beside a site's: ``python -m app.deploy.merge_registry FROM INTO``.

A model of the bundle replaces the one of the same name; what the site installed itself stays, in
its folder and in the registry.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from app.registry import read_registry, register_model


def merge(bundled: Path, installed: Path) -> None:
    """Copy every registered model of one folder into the other and register it there.

    Parameters
    ----------
    bundled : Path
        Models folder of the new version.
    installed : Path
        Models folder of the site; made if missing.

    Raises
    ------
    ModelUnusableError
        If a registry cannot be read.
    """
    installed.mkdir(parents=True, exist_ok=True)
    for name, entry in read_registry(bundled).models.items():
        shutil.rmtree(installed / name, ignore_errors=True)
        shutil.copytree(bundled / name, installed / name)
        register_model(installed, name, entry)


if __name__ == "__main__":
    merge(Path(sys.argv[1]), Path(sys.argv[2]))

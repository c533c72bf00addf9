"""What is on the disk stays there when the power fails."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync(path: Path) -> None:
    """Have the bytes of a file, or the names in a folder, on the disk (fsync).

    Parameters
    ----------
    path : Path
        A file or a folder that exists. A new file's name is safe once its folder is.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

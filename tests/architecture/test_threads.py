"""Nothing that starts threads is loaded before signals are blocked (`app.signals`)."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "entry",
    [
        "app.cli.main",
        "app.__main__",
        "app.node.serve",
        "app.node.roles",
        "app.node.inference.child",
    ],
)
def test_an_entry_loads_no_library_that_starts_threads(entry: str) -> None:
    """A thread made before takes SIGTERM with its default action: the process ends at once."""
    program = (
        f"import sys, {entry}; "
        "print(sorted({'numpy', 'scipy', 'torch', 'SimpleITK'} & sys.modules.keys()))"
    )
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"

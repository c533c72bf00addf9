"""Fixtures that every room may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Everybody tries the same examples; `HYPOTHESIS_PROFILE=search` looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("search")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real inputs and truths, named by SPINE_SHARED; absent -> the test is skipped."""
    named = os.environ.get("SPINE_SHARED")
    if not named:
        pytest.skip("SPINE_SHARED is not set: no real inputs here")
    return Path(named).resolve()

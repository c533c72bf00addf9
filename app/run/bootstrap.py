"""What has to be in place in the process before holoscan is imported for the first time."""

from __future__ import annotations

import logging
import os
import resource
import warnings
from typing import Final

STACK_BYTES: Final = 32 * 1024 * 1024
"""Below this soft limit Holoscan warns, in Python and in C++."""


def quiet_libraries() -> None:
    """Keep libraries from writing paths and attribute values, which may be patient data.

    pydicom logs and warns with the offending value or the file's path in the text. What matters
    about a file reaches the user as a named problem.
    """
    for name in ("pydicom", "highdicom", "nibabel"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # noqa: TID251 - silenced, not used
    warnings.filterwarnings("ignore", module=r"(pydicom|highdicom|nibabel)\b.*")


def prepare_process() -> None:
    """Silence Holoscan, raise the stack limit, load the CUDA runtime from its wheel.

    holoscan needs libcudart.so.13 even on a machine without a GPU, and no dependency loads it
    (monai-deploy-app-sdk issues 461 and 577).
    """
    # It reads its log level from the environment at import. Every failure reaches the user as a
    # named error of ours; its own report of the same exception, with a traceback, only hides it.
    os.environ.setdefault("HOLOSCAN_LOG_LEVEL", "OFF")  # noqa: TID251
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft != resource.RLIM_INFINITY and soft < STACK_BYTES:
        wanted = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
    from cuda.pathfinder import load_nvidia_dynamic_lib  # noqa: PLC0415 - slow, only for runs

    load_nvidia_dynamic_lib("cudart")
    # Deprecation notes of the SDK's own dependencies are nothing a user can act on.
    warnings.filterwarnings("ignore", module=r"(monai|holoscan|cupy|torch)\b.*")

"""What differs between workers of one site, and in tests."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.node.lifeline import no_beat
from app.node.work.queue import WORKFLOWS_VERSION
from app.node.work.vigil import LIMITS_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.node.lifeline import Beat


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What differs between workers of one site, and in tests.

    Attributes
    ----------
    with_intake : bool
        Also turn received series into jobs.
    command : tuple of str or None
        Inference process; None for the real one.
    version : str
        Version of the workflows.
    host : str
        Name of this machine.
    beat : Beat
        Called while the worker's own loop goes round and none of its threads hangs.
    limits_s : mapping
        How long a step of each kind of work may take, s.
    """

    with_intake: bool = True
    command: tuple[str, ...] | None = None
    version: str = WORKFLOWS_VERSION
    host: str = platform.node()
    beat: Beat = no_beat
    limits_s: Mapping[str, float] = field(default_factory=lambda: LIMITS_S)

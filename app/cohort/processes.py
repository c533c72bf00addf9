"""The inference processes of a cohort: one per case at once, each with its own networks."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from app.errors import InferenceLostError
from app.node.inference.supervisor import Supervisor, child_command

if TYPE_CHECKING:
    from threading import Event

    from app.settings import Settings

_LOOK_S: Final = 0.2


def supervisors_of(
    settings: Settings, workers: int, command: tuple[str, ...] | None = None
) -> tuple[Supervisor, ...]:
    """Make the supervisors; their processes share the processor's cores.

    Parameters
    ----------
    settings : Settings
        Models, inference, limits of a worker.
    workers : int
        How many.
    command : tuple of str, optional
        Process; default: the real one.
    """
    threads = settings.inference.threads
    if workers > 1 and not threads:
        threads = max(1, (os.cpu_count() or 1) // workers)
    inference = settings.inference.model_copy(update={"threads": threads})
    chosen = command or child_command(settings.model_copy(update={"inference": inference}))
    return tuple(Supervisor(chosen, settings.node.worker) for _ in range(workers))


def load(supervisors: tuple[Supervisor, ...], stop: Event) -> None:
    """Have all networks loaded before the first case; end early where `stop` is set.

    Raises
    ------
    InferenceLostError
        With the last words of the process.
    """

    async def all_of_them() -> None:
        loading = asyncio.gather(*(supervisor.start() for supervisor in supervisors))
        while not loading.done():
            await asyncio.wait({loading}, timeout=_LOOK_S)
            if stop.is_set():
                loading.cancel()
        if not stop.is_set():
            await loading

    try:
        asyncio.run(all_of_them())
    except InferenceLostError as error:
        message = f"the networks cannot be loaded: {error.message}"
        raise InferenceLostError(message, reasons=error.reasons) from error


def close(supervisors: tuple[Supervisor, ...]) -> None:
    """End all processes; a request that still runs is lost."""

    async def all_of_them() -> None:
        await asyncio.gather(*(supervisor.close() for supervisor in supervisors))

    asyncio.run(all_of_them())

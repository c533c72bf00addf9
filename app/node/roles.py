"""The processes of the node: what each one runs, and how it starts and ends.

One process per role, so that a crash of one never takes the others down: the listener answers
while the worker is starting, the page shows what is wrong while both are gone.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from app import __version__
from app.errors import ConfigurationError, ExitCode, crash_line, exit_code_of
from app.node.lifeline import no_beat
from app.node.telemetry import events
from app.node.telemetry.logs import EventLog, quiet_foreign_logs
from app.signals import stop_requests
from operators.errors import SpineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.node.lifeline import Beat
    from app.node.telemetry.logs import Emit
    from app.settings import Settings

PR_SET_PDEATHSIG: Final = 1


class Serve(Protocol):
    """Run a role until `stop` is set; call `ready` with the port (0: none) when it works.

    `beat` is called at every turn of the loop that must not stand still.
    """

    def __call__(
        self,
        settings: Settings,
        *,
        stop: threading.Event,
        ready: Callable[[int], None],
        emit: Emit,
        beat: Beat,
    ) -> None:
        """Run until `stop` is set."""


def _listen(
    settings: Settings,
    *,
    stop: threading.Event,
    ready: Callable[[int], None],
    emit: Emit,
    beat: Beat,
) -> None:
    from app.node.listener.listener import serve_listener  # noqa: PLC0415 - each role loads its own side

    serve_listener(settings.node, stop=stop, ready=ready, emit=emit, beat=beat)


def _work(
    settings: Settings,
    *,
    stop: threading.Event,
    ready: Callable[[int], None],
    emit: Emit,
    beat: Beat,
) -> None:
    from app.node.work.options import WorkerOptions  # noqa: PLC0415 - as above
    from app.node.work.worker import serve_worker  # noqa: PLC0415 - as above

    options = WorkerOptions(beat=beat)
    serve_worker(settings.node, settings, stop=stop, ready=ready, emit=emit, options=options)


def _show(
    settings: Settings,
    *,
    stop: threading.Event,
    ready: Callable[[int], None],
    emit: Emit,
    beat: Beat,
) -> None:
    from app.node.web.server import serve_web  # noqa: PLC0415 - as above

    serve_web(settings.node, stop=stop, ready=ready, emit=emit, beat=beat)


ROLES: Final[dict[str, Serve]] = {"listener": _listen, "worker": _work, "web": _show}
"""In the order they are started: the one that must not miss anything comes first."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The process that started this one: told when ready, shown signs of life, told of the end."""

    beat: Beat = no_beat
    end: Beat = no_beat


def run_role(role: str, settings: Settings, parent: Parent | None = None) -> int:
    """Run one process of the node to its end.

    Parameters
    ----------
    role : str
        Key of `ROLES`.
    settings : Settings
        Of this site.
    parent : Parent, optional
        End when it ends, and tell it on standard output when ready.

    Returns
    -------
    int
        Exit code.
    """
    if parent is not None:
        # Also a parent that is killed must leave nobody behind that holds the ports.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    above = parent or Parent()
    quiet_foreign_logs()
    emit = EventLog(role, settings.node.log_level)
    start = time.monotonic()
    emit(events.PROCESS_STARTED, role=role, version=__version__)

    def ready(port: int) -> None:
        # From here on silence is no start any more.
        above.beat()
        duration = round(time.monotonic() - start, 2)
        emit(events.PROCESS_READY, role=role, port=port, duration_s=duration)
        if parent is not None:
            sys.stdout.write(json.dumps({"event": "ready", "role": role, "port": port}) + "\n")
            sys.stdout.flush()

    try:
        prepare_data_folder(settings)
        with stop_requests() as stop:
            threading.Thread(target=_tell_when_ending, args=(stop, above), daemon=True).start()
            ROLES[role](settings, stop=stop, ready=ready, emit=emit, beat=above.beat)
    except SpineError as error:
        sys.stderr.write(f"{error}\n")
        emit(events.PROCESS_STOPPED, role=role, reason=error.code)
        return int(exit_code_of(error))
    except Exception as error:  # noqa: BLE001 - the border of the process
        emit(events.INTERNAL_ERROR, role=role, place=crash_line(error))
        return int(ExitCode.INTERNAL)
    finally:
        above.end()
    emit(events.PROCESS_STOPPED, role=role, reason="asked")
    return 0


def _tell_when_ending(stop: threading.Event, parent: Parent) -> None:
    stop.wait()
    parent.end()


def prepare_data_folder(settings: Settings) -> None:
    """Make the data folder, for the node's own user alone: it holds patients' images.

    Raises
    ------
    ConfigurationError
        If it cannot be made or written.
    """
    data = settings.node.data
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"the data folder cannot be made: {error.strerror}") from error
    if not os.access(data, os.W_OK | os.X_OK):
        raise ConfigurationError("the data folder cannot be written by this user")

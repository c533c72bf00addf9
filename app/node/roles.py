"""The processes of the node: what each one runs, and how it starts and ends.

One process per role, so that a crash of one never takes the others down: the listener answers
while the worker is starting, the page shows what is wrong while both are gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app import __version__
from app.errors import ConfigurationError, ExitCode, crash_line, exit_code_of
from app.node.lifeline import Beat, no_beat
from app.node.reload import Reload
from app.node.telemetry import events
from app.node.telemetry.logs import EventLog, quiet_foreign_logs
from app.signals import die_with_parent, reload_requests, stop_requests
from operators.errors import SpineError

if TYPE_CHECKING:
    from app.settings import NodeSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How a process of the node lives: whom it tells, and what it is told.

    Attributes
    ----------
    stop : threading.Event
        Set: it is to end.
    ready : callable
        Called with the port (0: none) when it works.
    log : EventLog
        Event log.
    beat : Beat
        Called at every turn of the loop that must not stand still.
    read : callable
        Reads the settings; raises `SpineError` where they cannot be used.
    """

    stop: threading.Event
    ready: Callable[[int], None]
    log: EventLog
    beat: Beat
    read: Callable[[], Settings]


Serve = Callable[["Settings", Life], None]
"""Runs a role until it is to end."""


def _listen(settings: Settings, life: Life) -> None:
    from app.node.listener.listener import serve_listener  # noqa: PLC0415 - each role loads its own side

    with reload_requests() as wanted:
        reload = Reload(settings, wanted, life.read)

        def renewed() -> NodeSettings | None:
            new = reload.take(life.log)
            if new is None:
                return None
            life.log.least = new.node.log_level
            return new.node

        serve_listener(
            settings.node,
            stop=life.stop,
            ready=life.ready,
            emit=life.log,
            beat=life.beat,
            renewed=renewed,
        )


def _work(settings: Settings, life: Life) -> None:
    from app.node.work.options import WorkerOptions  # noqa: PLC0415 - as above
    from app.node.work.worker import serve_worker  # noqa: PLC0415 - as above

    serve_worker(
        settings.node,
        settings,
        stop=life.stop,
        ready=life.ready,
        emit=life.log,
        options=WorkerOptions(beat=life.beat),
    )


def _show(settings: Settings, life: Life) -> None:
    from app.node.web.server import serve_web  # noqa: PLC0415 - as above
    from app.run.identity import intended_use_of  # noqa: PLC0415 - as above

    serve_web(
        settings.node,
        stop=life.stop,
        ready=life.ready,
        emit=life.log,
        beat=life.beat,
        intended_use=intended_use_of(settings),
    )


ROLES: Final[dict[str, Serve]] = {"listener": _listen, "worker": _work, "web": _show}
"""In the order they are started: the one that must not miss anything comes first."""
READING_ANEW: Final = frozenset({"listener"})
"""Roles that take new settings at SIGHUP without a restart: the DICOM port stays open."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The process that started this one: told when ready, shown signs of life, told of the end."""

    beat: Beat = no_beat
    end: Beat = no_beat


def run_role(role: str, read: Callable[[], Settings], parent: Parent | None = None) -> int:
    """Run one process of the node to its end.

    Parameters
    ----------
    role : str
        Key of `ROLES`.
    read : callable
        Reads the settings of this site.
    parent : Parent, optional
        End when it ends, and tell it on standard output when ready.

    Returns
    -------
    int
        Exit code.
    """
    if parent is not None:
        # Also a parent that is killed must leave nobody behind that holds the ports.
        die_with_parent(signal.SIGTERM)
    above = parent or Parent()
    settings = read()
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
            life = Life(stop=stop, ready=ready, log=emit, beat=above.beat, read=read)
            ROLES[role](settings, life)
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

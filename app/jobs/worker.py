"""The worker process: engine parent without networks, owner of one inference process.

Four threads beside the engine's own: the intake (series to jobs, jobs to the engine), the pulse
(heartbeat, take-over), the retention, and the supervisor's. A thread that fails ends the worker,
which is then started again; one that waits for the journal or the engine goes on when they answer.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

from app import __version__
from app.archive.retention import apply_retention
from app.archive.spool import Spool
from app.delivery.attempt import Courier
from app.errors import InferenceLostError, JournalDamagedError, ServiceError
from app.identity import identity_of
from app.inference.supervisor import Supervisor, child_command
from app.jobs.announcing import start_alerts
from app.jobs.intake import Intake
from app.jobs.lease import Pulse, worker_name
from app.jobs.options import WorkerOptions
from app.jobs.origin import OriginDesk
from app.jobs.queue import JobQueue, engine_url
from app.jobs.queue_file import put_aside_if_damaged
from app.jobs.reconcile import VERSION_KEY, Reconciler
from app.jobs.segmenting import SegmentDesk
from app.jobs.settling import Settlement
from app.jobs.watch import Surroundings
from app.jobs.workflows import Tools, Workflows
from app.jobs.workfolder import WorkFolders
from app.journal.engine import journal_url, open_journal
from app.journal.lookout import LEAVING, UNUSABLE
from app.journal.processes import PulseWatch
from app.telemetry import events
from app.telemetry.logs import key_of, site_secret
from operators.dicom.selection import SelectionSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from sqlalchemy.engine import Engine

    from app.settings import NodeSettings, Settings
    from app.telemetry.logs import Emit

INTAKE_EVERY_S: Final = 0.25
RETENTION_EVERY_S: Final = 60.0
MODELS_EVERY_S: Final = 60.0
"""Models that could not be loaded are tried again, so that what is repaired shows by itself, s."""
_OUTAGE_PAUSE_S: Final = 1.0
_WATCH_S: Final = 0.2
_JOURNAL_THREADS: Final = 4
_COURIER_THREADS: Final = 16
_PEER_THREADS: Final = 4
_SCAN_THREADS: Final = 2


def serve_worker(
    node: NodeSettings,
    settings: Settings,
    *,
    stop: Event,
    ready: Callable[[int], None],
    emit: Emit,
    options: WorkerOptions | None = None,
) -> None:
    """Run a worker until `stop` is set.

    Parameters
    ----------
    node : NodeSettings
        Data folder, database, limits.
    settings : Settings
        Models and inference.
    stop : Event
        Set it to end; a running job has the grace to finish, else goes on after the next start.
    ready : callable
        Told 0 (no port) when the worker takes work.
    emit : Emit
        Event log.
    options : WorkerOptions, optional
        What differs between workers.

    Raises
    ------
    ModelUnusableError
        If a model is missing or was changed.
    JournalError, EngineError
        If a database does not answer at the start.
    """
    chosen = options or WorkerOptions()
    node.data.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        name = stack.enter_context(worker_name(node.data, chosen.host))
        journal = open_journal(journal_url(node.data, node.database_url))
        stack.callback(journal.dispose)
        if node.database_url is None:
            put_aside_if_damaged(node.data, name, emit)
        worker = _Worker(node, settings, chosen, _Base(name, journal, emit))
        stack.enter_context(worker.running(stop))
        ready(0)
        worker.watch(stop)


@dataclass(frozen=True, slots=True)
class _Base:
    """What everything in a worker needs."""

    name: str
    journal: Engine
    emit: Emit


class _Worker:
    """The parts of a worker, put together."""

    def __init__(
        self, node: NodeSettings, settings: Settings, options: WorkerOptions, base: _Base
    ) -> None:
        self._node, self._options, self._base = node, options, base
        self._threads = {
            role: ThreadPoolExecutor(size, thread_name_prefix=role)
            for role, size in (
                ("journal", _JOURNAL_THREADS),
                ("courier", _COURIER_THREADS),
                ("peer", _PEER_THREADS),
                ("scan", _SCAN_THREADS),
                ("loop", 4),
            )
        }
        self._loops: list[Future[None]] = []
        self._alerts: Thread | None = None
        spool = Spool(node.data / "spool")
        command = options.command or child_command(settings)
        self._supervisor = Supervisor(command, node.worker, base.emit)
        url = engine_url(node.data, node.database_url)
        self._queue = JobQueue(url, base.name, version=options.version)
        folders = WorkFolders(node.data, spool)
        self._identity = identity_of(settings)
        self._workflows = Workflows(self._tools(folders))
        self._pulse = Pulse(
            engine=base.journal,
            queue=self._queue,
            name=base.name,
            watch=PulseWatch(lease_s=node.worker.lease_s),
            clock=time.time,
            monotonic=time.monotonic,
            emit=base.emit,
            detail=self._about,
        )
        self._reconciler = Reconciler(
            engine=base.journal,
            queue=self._queue,
            folders=folders,
            attempts=node.worker.attempts,
            clock=time.time,
            monotonic=time.monotonic,
        )
        self._intake = self._make_intake(settings, spool) if options.with_intake else None

    @contextmanager
    def running(self, stop: Event) -> Iterator[None]:
        """Start everything; end it in order."""
        ended = Event()
        self._queue.start()
        try:
            self._pulse.tick()
            self._loops = [
                self._threads["loop"].submit(self._loop, self._turn, INTAKE_EVERY_S, stop),
                self._threads["loop"].submit(self._loop, self._beat, self._pulse.period_s, ended),
                self._threads["loop"].submit(self._loop, self._tidy, RETENTION_EVERY_S, stop),
                self._threads["loop"].submit(self._keep_warm, stop),
            ]
            self._alerts = start_alerts(self._base.journal, self._node, self._base.emit, ended)
            yield
        finally:
            stop.set()
            self._pulse.is_leaving = True
            self._workflows.drain(self._node.worker.grace_s)
            self._queue.stop()
            # The last word: this worker is not lost, it left.
            self._pulse.tick()
            ended.set()
            asyncio.run(self._supervisor.close())
            for pool in self._threads.values():
                pool.shutdown(wait=False, cancel_futures=True)

    def watch(self, stop: Event) -> None:
        """Wait for the end; a loop that failed is the end, too."""
        while not stop.wait(_WATCH_S):
            self._options.beat()
            for loop in self._loops:
                if loop.done():
                    loop.result()
            if self._alerts is not None and not self._alerts.is_alive():
                raise ServiceError("the alerts ended by themselves")

    def _tools(self, folders: WorkFolders) -> Tools:
        base, node = self._base, self._node
        return Tools(
            desk=SegmentDesk(
                engine=base.journal,
                folders=folders,
                worker_id=base.name,
                identity=self._identity,
                clock=time.time,
                emit=base.emit,
            ),
            settlement=Settlement(
                engine=base.journal, node=node, folders=folders, clock=time.time, emit=base.emit
            ),
            supervisor=self._supervisor,
            courier=Courier(base.journal, node, emit=base.emit),
            journal_threads=self._threads["journal"],
            courier_threads=self._threads["courier"],
        )

    def _make_intake(self, settings: Settings, spool: Spool) -> Intake:
        base, secret = self._base, site_secret(self._node.data)

        def keyed(uid: str) -> str:
            return key_of(uid, secret)

        surroundings = Surroundings(
            engine=base.journal,
            node=self._node,
            spool=spool,
            identity=self._identity,
            selection=SelectionSettings(**settings.selection.model_dump()),
            executor=self._threads["scan"],
            clock=time.time,
            monotonic=time.monotonic,
            emit=base.emit,
            key_of=keyed,
        )
        origins = OriginDesk(
            node=self._node,
            executor=self._threads["peer"],
            monotonic=time.monotonic,
            emit=base.emit,
            key_of=keyed,
        )
        return Intake(surroundings, origins)

    def _about(self) -> dict[str, Any]:
        ready = self._supervisor.ready
        return {
            "pid": os.getpid(),
            LEAVING: self._pulse.is_leaving,
            UNUSABLE: ", ".join(self._supervisor.start_failure),
            "software": __version__,
            VERSION_KEY: self._options.version,
            "profile": ready.profile if ready else "",
            "models": ready.models if ready else {},
        }

    def _turn(self) -> None:
        if self._intake is not None:
            self._intake.look()
        self._reconciler.tick()

    def _tidy(self) -> None:
        """Delete what the site's policy lets go, one batch per turn."""
        base, node = self._base, self._node
        apply_retention(base.journal, node.data, node.retention, now=time.time(), emit=base.emit)

    def _beat(self) -> None:
        self._reconciler.silent = frozenset(self._pulse.tick())

    def _keep_warm(self, stop: Event) -> None:
        """Have the models loaded before the first job; one that waits for them is told why."""
        pause_s = 0.0
        while not stop.wait(pause_s):
            pause_s = MODELS_EVERY_S
            if self._supervisor.ready is None:
                with suppress(InferenceLostError):
                    asyncio.run(self._supervisor.start())

    def _loop(self, turn: Callable[[], None], every_s: float, stop: Event) -> None:
        is_told = False
        pause_s = every_s
        while not stop.wait(pause_s):
            try:
                turn()
                is_told, pause_s = False, every_s
            except JournalDamagedError:
                raise  # waiting does not mend it
            except ServiceError as error:
                if not is_told:
                    self._base.emit(events.ENGINE_UNREACHABLE, error=error.code)
                is_told, pause_s = True, max(every_s, _OUTAGE_PAUSE_S)

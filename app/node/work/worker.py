"""The worker process: engine parent without networks, owner of one inference process.

Four threads beside the engine's own: the intake (series to jobs, jobs to the engine), the pulse
(heartbeat, take-over), the retention, and the supervisor's. A thread that fails ends the worker,
which is then started again; one that waits for the journal or the engine goes on when they answer;
one that hangs (`app.node.work.vigil`) ends the worker's signs of life, and the heartbeat names it.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

from app import __version__
from app.errors import InferenceLostError, ServiceError
from app.node.archive.patient_retention import apply_patient_retention
from app.node.archive.retention import apply_retention
from app.node.archive.spool import Spool
from app.node.delivery.attempt import Courier
from app.node.inference.supervisor import Supervisor, child_command
from app.node.intake.arriving import Intake
from app.node.intake.origin import OriginDesk
from app.node.intake.watch import Surroundings
from app.node.journal.engine import journal_url, open_journal
from app.node.journal.lookout import HANGING, LEAVING, UNUSABLE
from app.node.journal.processes import PulseWatch
from app.node.telemetry import events
from app.node.telemetry.logs import key_of, site_secret
from app.node.work import vigil
from app.node.work.announcing import start_alerts
from app.node.work.lease import Pulse, worker_name
from app.node.work.loops import Loops
from app.node.work.options import WorkerOptions
from app.node.work.queue import JobQueue, engine_url
from app.node.work.queue_file import put_aside_if_damaged
from app.node.work.reconcile import VERSION_KEY, Reconciler
from app.node.work.segmenting import SegmentDesk
from app.node.work.settling import Settlement
from app.node.work.workflows import Tools, Workflows
from app.node.work.workfolder import WorkFolders
from app.run.identity import identity_of
from operators.dicom.selection.series_selection import SelectionSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Engine

    from app.node.telemetry.logs import Emit
    from app.settings import NodeSettings, Settings

INTAKE_EVERY_S: Final = 0.25
RETENTION_EVERY_S: Final = 60.0
MODELS_EVERY_S: Final = 60.0
"""Models that could not be loaded are tried again, so that what is repaired shows by itself, s."""
_WATCH_S: Final = 0.2
_THREADS: Final = {vigil.JOURNAL: 4, vigil.COURIER: 16, vigil.PEER: 4, vigil.SCAN: 2}


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
        self._vigil, self._hanging = vigil.Vigil(options.limits_s), ""
        self._threads = {
            name: vigil.WatchedPool(size, name, self._vigil) for name, size in _THREADS.items()
        }
        self._loops = Loops(self._vigil, base.emit)
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
            sign=self._vigil.sign,
        )
        self._intake = self._make_intake(settings, spool) if options.with_intake else None

    @contextmanager
    def running(self, stop: Event) -> Iterator[None]:
        """Start everything; end it in order."""
        ended = Event()
        self._queue.start()
        try:
            self._pulse.tick()
            self._loops.start(vigil.INTAKE, self._turn, INTAKE_EVERY_S, stop)
            self._loops.start(vigil.PULSE, self._beat, self._pulse.period_s, ended)
            self._loops.start(vigil.RETENTION, self._tidy, RETENTION_EVERY_S, stop)
            self._loops.start_unwatched(lambda: self._keep_warm(stop))
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
            self._loops.leave()
            for pool in self._threads.values():
                pool.shutdown(wait=False, cancel_futures=True)

    def watch(self, stop: Event) -> None:
        """Wait for the end; a loop that failed is the end, too. No sign of life while one hangs."""
        while not stop.wait(_WATCH_S):
            if not self._look_for_hanging():
                self._options.beat()
            self._loops.check()
            if self._alerts is not None and not self._alerts.is_alive():
                raise ServiceError("the alerts ended by themselves")

    def _look_for_hanging(self) -> str:
        """Name the work that hangs, none as a rule; an outage of the journal excuses everybody."""
        if not self._pulse.is_connected:
            self._vigil.forgive()
        if not self._vigil.is_doing(vigil.INFERENCE):
            self._vigil.begin(vigil.INFERENCE, vigil.INFERENCE)
            self._supervisor.knock(lambda: self._vigil.end(vigil.INFERENCE))
        hanging = ", ".join(self._vigil.overdue())
        if hanging and hanging != self._hanging:
            self._base.emit(events.THREAD_HANGS, role="worker", thread=hanging)
        self._hanging = hanging
        return hanging

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
            journal_threads=self._threads[vigil.JOURNAL],
            courier_threads=self._threads[vigil.COURIER],
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
            executor=self._threads[vigil.SCAN],
            clock=time.time,
            monotonic=time.monotonic,
            emit=base.emit,
            key_of=keyed,
        )
        origins = OriginDesk(
            node=self._node,
            executor=self._threads[vigil.PEER],
            monotonic=time.monotonic,
            emit=base.emit,
            key_of=keyed,
        )
        return Intake(surroundings, origins, self._vigil.sign)

    def _about(self) -> dict[str, Any]:
        ready = self._supervisor.ready
        return {
            "pid": os.getpid(),
            LEAVING: self._pulse.is_leaving,
            HANGING: self._hanging,
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
        now = time.time()
        apply_retention(base.journal, node.data, node.retention, now=now, emit=base.emit)
        apply_patient_retention(base.journal, node.patients, now=now, emit=base.emit)

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

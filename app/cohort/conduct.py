"""Lead a cohort from where it stands to its end: plan, processes, engine, tables, report."""

from __future__ import annotations

import asyncio
import os
import platform
import queue
import time
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.cohort.discovery import cases_of, open_dataset
from app.cohort.engine import CohortEngine
from app.cohort.folder import CohortFolder, begin, require_usable, write_whole
from app.cohort.progress import Standing, left_s
from app.cohort.rows import OK, has_lost
from app.cohort.sidecars import describe_folder
from app.cohort.tables import write_tables
from app.cohort.workflow import CohortWorkflows, Tools
from app.errors import InferenceLostError, OutputUnwritableError, WorkflowLostError
from app.node.inference.supervisor import Supervisor, child_command
from app.node.telemetry.logs import silent
from app.node.work.lease import worker_name
from app.node.work.queue import engine_url
from app.node.work.queue_file import put_aside_if_damaged
from app.run.identity import parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path
    from threading import Event

    from app.cohort.cases import CohortCase
    from app.cohort.discovery import Dataset, Layout
    from app.cohort.folder import Begun
    from app.settings import Settings

_WATCH_S: Final = 0.2
_LOOK_AROUND_S: Final = 2.0
"""How often one looks for dead processes, and for cases that others published, s."""
_SUBMITTED_AT_ONCE: Final = 50
_MOST_LOSSES: Final = 3
"""A workflow that ended without a result begins anew so often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortJob:
    """What to do.

    Attributes
    ----------
    dataset : Path
        Folder or table.
    output : Path
        Folder for the results.
    layout : {"auto", "bids", "dicom"}
        How to read a folder.
    workers : int
        Cases at once, each in a process of its own with its own networks.
    retry_lost : bool
        Begin those cases anew in which an inference process was lost.
    database_url : str or None
        PostgreSQL, where several machines work on one output folder.
    settings : Settings
        Models, inference, limits.
    now : datetime
        Time of day.
    command : tuple of str or None
        Inference process; None for the real one.
    """

    dataset: Path
    output: Path
    layout: Layout = "auto"
    workers: int = 1
    retry_lost: bool = False
    database_url: str | None = None
    settings: Settings
    now: datetime
    command: tuple[str, ...] | None = None


def conduct(job: CohortJob, tell: Callable[[Standing], None], stop: Event) -> Standing:
    """Work on a cohort until every case is published, or until `stop` is set.

    Parameters
    ----------
    job : CohortJob
        What to do.
    tell : callable
        Told the standing at the start and when it changes.
    stop : Event
        Set it to end: what is published and what is in the engine stays.

    Returns
    -------
    Standing
        At the end.

    Raises
    ------
    SpineError
        What keeps every case from ending: data set, output folder, models, database.
    """
    require_usable(job.dataset, job.output)
    dataset = open_dataset(job.dataset, job.output, job.layout)
    folder = CohortFolder(dataset.output)
    begun = begin(folder, job.settings, job.now)
    with _disk_errors():
        ledger = _plan(folder, dataset, retry_lost=job.retry_lost)
        describe_folder(folder, dataset.root)
    if ledger.open:
        with _disk_errors():
            _work(_Site(job, folder, dataset, begun), _Teller(tell, ledger), stop)
    with _disk_errors():
        write_tables(folder, ledger.cases(folder))
        if not ledger.open:
            # Not at the top: matplotlib costs a second that a dry run saves.
            from app.cohort.report import write_report  # noqa: PLC0415

            write_report(folder, ledger.cases(folder))
    return ledger.standing(None)


@dataclass(slots=True)
class _Ledger:
    """Which cases are open; the plan itself is on the disk."""

    order: list[str] = field(default_factory=list)
    open: dict[str, None] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    losses: dict[str, int] = field(default_factory=dict)

    def cases(self, folder: CohortFolder) -> Iterator[CohortCase]:
        """All cases, read one after the other."""
        return (folder.case(case_id) for case_id in self.order)

    def note(self, case_id: str, folder: CohortFolder) -> bool:
        """Whether an open case is published; then it is open no more."""
        record = folder.published(folder.case(case_id))
        if record is None:
            return False
        self.open.pop(case_id, None)
        if all(row["status"] != OK for row in record["rows"]):
            self.failed.add(case_id)
        return True

    def standing(self, seconds: float | None) -> Standing:
        """How far it is."""
        total = len(self.order)
        done = total - len(self.open)
        return Standing(done=done, total=total, failed=len(self.failed), left_s=seconds)


@dataclass(frozen=True, slots=True)
class _Site:
    """What to do, and where everything lies."""

    job: CohortJob
    folder: CohortFolder
    dataset: Dataset
    begun: Begun


@dataclass(slots=True)
class _Teller:
    """Tells the standing, with the expected end."""

    tell: Callable[[Standing], None]
    ledger: _Ledger
    begun_s: float = field(default_factory=time.monotonic)
    at_start: int = 0

    def start(self) -> None:
        """Count the pace from here."""
        self.begun_s, self.at_start = time.monotonic(), len(self.ledger.open)
        self.now()

    def now(self) -> None:
        """Tell."""
        elapsed_s = time.monotonic() - self.begun_s
        left = left_s(self.at_start, len(self.ledger.open), elapsed_s)
        self.tell(self.ledger.standing(left))


def _plan(folder: CohortFolder, dataset: Dataset, *, retry_lost: bool) -> _Ledger:
    """Write a plan file for every case that has none, and see which ones are published."""
    ledger = _Ledger()
    for case in cases_of(dataset):
        ledger.order.append(case.case_id)
        ledger.open[case.case_id] = None
        plan = folder.plan_of(case.case_id)
        if not plan.exists():
            write_whole(plan, case.as_json())
        if retry_lost and has_lost(folder.published(case)):
            folder.record_of(case).unlink()
        ledger.note(case.case_id, folder)
    return ledger


def _work(site: _Site, teller: _Teller, stop: Event) -> None:
    job, state = site.job, site.folder.state
    events: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()
    with ExitStack() as stack:
        name = stack.enter_context(worker_name(state, platform.node()))
        if job.database_url is None:
            put_aside_if_damaged(state, name, silent)
        supervisors = _supervisors(job)
        stack.callback(_close, supervisors)
        engine = CohortEngine(site.begun.cohort_id, name, len(supervisors))
        engine.configure(engine_url(state, job.database_url))
        workflows = CohortWorkflows(
            Tools(
                folder=site.folder,
                root=site.dataset.root,
                started=site.begun.started,
                parameters=parameters_of(job.settings),
                attempts=job.settings.node.worker.attempts,
                supervisors=supervisors,
                on_end=events.put,
                on_trouble=events.put,
            )
        )
        _load(supervisors, stop)
        stack.callback(engine.stop)
        engine.start()
        try:
            teller.start()
            _watch(_Watch(site.folder, engine, teller.ledger, events), teller, stop)
        finally:
            workflows.is_leaving = True


@dataclass(slots=True)
class _Watch:
    """Follows the cases of this process and, now and then, those of others."""

    folder: CohortFolder
    engine: CohortEngine
    ledger: _Ledger
    events: queue.SimpleQueue[str | Exception]
    _absent: deque[str] = field(default_factory=deque)
    _next_look_s: float = 0.0

    def look_around(self) -> bool:
        """Take over from the dead, note what others published, give anew what is lost."""
        now = time.monotonic()
        if now < self._next_look_s or self._absent:
            return False
        self.engine.take_over_from_dead(self.folder.state)
        found = [one for one in list(self.ledger.open) if self.ledger.note(one, self.folder)]
        self._absent = deque(self.engine.forget_ended(list(self.ledger.open)))
        # Many cases on a slow disk: no more than a tenth of the time.
        pause_s = max(_LOOK_AROUND_S, 10 * (time.monotonic() - now))
        self._next_look_s = time.monotonic() + pause_s
        return bool(found)

    def take_events(self) -> bool:
        """Whether a case ended within a moment; raise what keeps all from ending."""
        try:
            event = self.events.get(timeout=_WATCH_S)
        except queue.Empty:
            return False
        if isinstance(event, Exception):
            raise event
        return event in self.ledger.open and self.ledger.note(event, self.folder)

    def submit_some(self) -> None:
        """Give the engine what it does not have, a few at a time, so that one can be stopped."""
        for _ in range(min(_SUBMITTED_AT_ONCE, len(self._absent))):
            case_id = self._absent.popleft()
            # It may have been published since the engine was asked.
            if case_id in self.ledger.open and not self.ledger.note(case_id, self.folder):
                self._submit(case_id)

    def _submit(self, case_id: str) -> None:
        losses = self.ledger.losses
        losses[case_id] = losses.get(case_id, -1) + 1
        if losses[case_id] > _MOST_LOSSES:
            message = "the job engine ended a case without a result, time and again"
            raise WorkflowLostError(message)
        self.engine.submit(case_id)


def _watch(watch: _Watch, teller: _Teller, stop: Event) -> None:
    while watch.ledger.open and not stop.is_set():
        is_news = watch.look_around()
        watch.submit_some()
        if watch.take_events() or is_news:
            teller.now()


def _supervisors(job: CohortJob) -> tuple[Supervisor, ...]:
    """One inference process per case at once; they share the processor's cores."""
    settings = job.settings
    threads = settings.inference.threads
    if job.workers > 1 and not threads:
        threads = max(1, (os.cpu_count() or 1) // job.workers)
    inference = settings.inference.model_copy(update={"threads": threads})
    command = job.command or child_command(settings.model_copy(update={"inference": inference}))
    return tuple(Supervisor(command, settings.node.worker) for _ in range(job.workers))


def _load(supervisors: tuple[Supervisor, ...], stop: Event) -> None:
    """Have all networks loaded before the first case; end early where `stop` is set.

    Raises
    ------
    InferenceLostError
        With the last words of the process.
    """

    async def load() -> None:
        loading = asyncio.gather(*(supervisor.start() for supervisor in supervisors))
        while not loading.done():
            await asyncio.wait({loading}, timeout=_WATCH_S)
            if stop.is_set():
                loading.cancel()
        if not stop.is_set():
            await loading

    try:
        asyncio.run(load())
    except InferenceLostError as error:
        message = f"the networks cannot be loaded: {error.message}"
        raise InferenceLostError(message, reasons=error.reasons) from error


def _close(supervisors: tuple[Supervisor, ...]) -> None:
    async def close() -> None:
        await asyncio.gather(*(supervisor.close() for supervisor in supervisors))

    asyncio.run(close())


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"the output folder cannot be written: {error.strerror}"
        raise OutputUnwritableError(message, reasons=("output_unwritable",)) from error

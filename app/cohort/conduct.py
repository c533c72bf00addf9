"""Lead a cohort from where it stands to its end: plan, processes, engine, tables, report."""

from __future__ import annotations

import platform
import queue
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from app.cohort.discovery import cases_of, open_dataset
from app.cohort.engine import CohortEngine
from app.cohort.folder import CohortFolder, begin, require_usable, write_whole
from app.cohort.ledger import Ledger, Teller
from app.cohort.processes import close, load, supervisors_of
from app.cohort.rows import has_lost
from app.cohort.sidecars import describe_folder
from app.cohort.tables import write_tables
from app.cohort.watch import Watch, follow
from app.cohort.workflow import CohortWorkflows, Tools
from app.errors import OutputUnwritableError
from app.node.telemetry.logs import silent
from app.node.work.lease import worker_name
from app.node.work.queue import engine_url
from app.node.work.queue_file import put_aside_if_damaged
from app.run.identity import intended_use_of, parameters_of
from operators.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path
    from threading import Event

    from app.cohort.cases import CohortCase
    from app.cohort.discovery import Dataset, Layout
    from app.cohort.folder import Begun
    from app.cohort.progress import Standing
    from app.settings import Settings


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
    cases = cases_of(dataset, checking(stop))
    first = next(cases)  # before anything is written: there may be none
    begun = begin(folder, job.settings, job.now)
    with _disk_errors():
        ledger = _plan(folder, chain([first], cases), retry_lost=job.retry_lost)
        describe_folder(folder, dataset.root)
    if ledger.open:
        with _disk_errors():
            _work(_Site(job, folder, dataset, begun), Teller(tell, ledger), stop)
            ledger.note_all(folder)  # a case may have been published while this process ended
    with _disk_errors():
        write_tables(folder, ledger.cases(folder))
        if not ledger.open:
            # Not at the top: matplotlib costs a second that a dry run saves.
            from app.cohort.report import write_report  # noqa: PLC0415

            write_report(folder, ledger.cases(folder))
    return ledger.standing(None)


def checking(stop: Event) -> Callable[[], None]:
    """Give a check that raises `InterruptedRunError` once `stop` is set."""

    def check() -> None:
        if stop.is_set():
            raise InterruptedRunError("stopped before the data set was read; nothing was begun")

    return check


def extras_of(settings: Settings) -> tuple[str, ...]:
    """Name the optional results that `spine-node run` writes where nothing is said."""
    usual = {"overlay": True, "measurements": True, "report_file": True}
    return tuple(sorted(settings.output.model_copy(update=usual).extras))


@dataclass(frozen=True, slots=True)
class _Site:
    """What to do, and where everything lies."""

    job: CohortJob
    folder: CohortFolder
    dataset: Dataset
    begun: Begun


def _plan(folder: CohortFolder, cases: Iterable[CohortCase], *, retry_lost: bool) -> Ledger:
    """Write a plan file for every case that has none, and see which ones are published."""
    ledger = Ledger()
    for case in cases:
        ledger.order.append(case.case_id)
        ledger.open[case.case_id] = None
        plan = folder.plan_of(case.case_id)
        if not plan.exists():
            write_whole(plan, case.as_json())
        if retry_lost and has_lost(folder.published(case)):
            folder.record_of(case).unlink()
        ledger.note(case.case_id, folder)
    return ledger


def _work(site: _Site, teller: Teller, stop: Event) -> None:
    job, state = site.job, site.folder.state
    events: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()
    with ExitStack() as stack:
        name = stack.enter_context(worker_name(state, platform.node()))
        if job.database_url is None:
            put_aside_if_damaged(state, name, silent)
        supervisors = supervisors_of(job.settings, job.workers, job.command)
        stack.callback(close, supervisors)
        engine = CohortEngine(site.begun.cohort_id, name, len(supervisors))
        engine.configure(engine_url(state, job.database_url))
        workflows = CohortWorkflows(
            Tools(
                folder=site.folder,
                root=site.dataset.root,
                started=site.begun.started,
                parameters=parameters_of(job.settings),
                extras=extras_of(job.settings),
                intended_use=intended_use_of(job.settings),
                attempts=job.settings.node.worker.attempts,
                supervisors=supervisors,
                on_end=events.put,
                on_trouble=events.put,
            )
        )
        load(supervisors, stop)
        if stop.is_set():
            return
        stack.callback(engine.stop)
        engine.start()
        try:
            teller.start()
            follow(Watch(site.folder, engine, teller.ledger, events), teller, stop)
        finally:
            workflows.is_leaving = True


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"the output folder cannot be written: {error.strerror}"
        raise OutputUnwritableError(message, reasons=("output_unwritable",)) from error

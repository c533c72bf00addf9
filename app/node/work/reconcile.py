"""Makes the engine know what the journal wants done: new work, lost work, work of other versions.

The journal says which jobs and deliveries are open; whatever the engine does not have, has
dropped, or holds under the steps of another version gets a new start. So the engine's database
may be lost, restored from an old backup, or left behind by an upgrade, and no job is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.errors import WorkflowLostError
from app.node.journal import deliveries, jobs, runs
from app.node.journal.engine import reading, transaction
from app.node.journal.processes import WORKER, forget, heartbeats
from app.node.journal.states import JobState
from app.node.lifeline import no_beat
from app.node.work.queue import delivery_id, segment_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Engine

    from app.node.journal.deliveries import DeliveryGroup
    from app.node.journal.jobs import JobRun
    from app.node.lifeline import Beat
    from app.node.work.engine import Ticket
    from app.node.work.queue import JobQueue
    from app.node.work.workfolder import WorkFolders

VERSION_KEY: Final = "workflows"
"""Under this name a worker's heartbeat tells the version of its workflows."""

RECONCILE_EVERY_S: Final = 30.0
HISTORY_DAYS: Final = 7
_CLEAN_EVERY_S: Final = 3600.0
_LOOK_AGAIN_S: Final = 60.0
_BATCH: Final = 200
_DAY_S: Final = 86_400.0


@dataclass(slots=True)
class Reconciler:
    """Brings journal and engine together; used by one thread.

    Attributes
    ----------
    engine : Engine
        Journal.
    queue : JobQueue
        The engine.
    folders : WorkFolders
        Inputs of jobs.
    attempts : int
        Attempts of a job.
    clock, monotonic : callable
        Epoch and monotonic seconds.
    sign : Beat
        Called after every step, of which a turn may have thousands.
    """

    engine: Engine
    queue: JobQueue
    folders: WorkFolders
    attempts: int
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sign: Beat = no_beat
    silent: frozenset[str] = frozenset()
    _submitted: dict[str, float] = field(default_factory=dict)
    _next_reconcile: float = 0.0
    _next_clean: float = 0.0

    def tick(self) -> None:
        """Submit what is new; from time to time look for what got lost, and clean up.

        Raises
        ------
        JournalError, EngineError
            If one of them does not answer; call again later.
        """
        self.submit_jobs()
        self.submit_deliveries()
        now = self.monotonic()
        if now >= self._next_reconcile:
            self.reconcile_jobs()
            self._next_reconcile = now + RECONCILE_EVERY_S
        if now >= self._next_clean:
            while (
                self.queue.forget_finished(self.clock() - HISTORY_DAYS * _DAY_S, _BATCH) == _BATCH
            ):
                self.sign()
            self.sweep_inputs()
            self.forget_workers()
            self._next_clean = now + _CLEAN_EVERY_S

    def sweep_inputs(self) -> None:
        """Remove inputs of jobs that are over."""
        with reading(self.engine) as c:
            unfinished = {run.job_id for run in (*jobs.waiting(c), *jobs.at_engine(c))}
        self.folders.sweep(unfinished, self.clock() - _CLEAN_EVERY_S)

    def forget_workers(self) -> None:
        """Forget workers that were taken over long ago: a container never has its name again."""
        before = self.clock() - HISTORY_DAYS * _DAY_S
        with transaction(self.engine) as c:
            for heart in heartbeats(c, WORKER):
                if heart.process_id in self.silent and heart.beat < before:
                    forget(c, heart.process_id)

    def submit_jobs(self) -> None:
        """Give waiting jobs to the engine, then note it: a crash in between repeats the first."""
        with reading(self.engine) as c:
            waiting = jobs.waiting(c)
        for run in waiting:
            self.queue.submit_segmentation(run)
            with transaction(self.engine) as c:
                jobs.mark_queued(c, run)
            self.sign()

    def submit_deliveries(self) -> None:
        """Give open deliveries to the engine; one it dropped gets a new start."""
        with reading(self.engine) as c:
            due = deliveries.due(c, self.clock())
        now = self.monotonic()
        self._submitted = {key: at for key, at in self._submitted.items() if at > now}
        groups = {delivery_id(group): group for group in due}
        fresh = [key for key in groups if key not in self._submitted]
        for start in range(0, len(fresh), _BATCH):
            self._submit_batch({key: groups[key] for key in fresh[start : start + _BATCH]})

    def _submit_batch(self, groups: dict[str, DeliveryGroup]) -> None:
        tickets = self.queue.tickets(list(groups))
        self.queue.forget([key for key, ticket in tickets.items() if self._is_dropped(ticket)])
        until = self.monotonic() + _LOOK_AGAIN_S
        for key, group in groups.items():
            self.queue.submit_delivery(group)
            self._submitted[key] = until
            self.sign()

    def reconcile_jobs(self) -> None:
        """Find jobs that the engine should have and has not, or has given up."""
        with reading(self.engine) as c:
            open_runs = jobs.at_engine(c)
        for start in range(0, len(open_runs), _BATCH):
            self._reconcile_batch(open_runs[start : start + _BATCH])

    def _reconcile_batch(self, open_runs: Sequence[JobRun]) -> None:
        tickets = self.queue.tickets([segment_id(run) for run in open_runs])
        for run in open_runs:
            ticket = tickets.get(segment_id(run))
            if ticket is None:
                self.queue.submit_segmentation(run)
            elif self._is_foreign(ticket):
                self.queue.forget([ticket.workflow_id])
                with transaction(self.engine) as c:
                    jobs.requeue(c, run)
            elif not ticket.is_active:
                self._restart(run)
            self.sign()

    def _restart(self, run: JobRun) -> None:
        """Give a run a new start whose workflow ended without settling it: an error of somebody."""
        with transaction(self.engine) as c:
            # Locks the row, so that the run cannot be settled between the two moves.
            attempts = runs.note_drop(c, run.job_id, run.run_number)
            if attempts is None:
                return
            if attempts < self.attempts:
                jobs.requeue(c, run)
                return
            end = runs.RunEnd(
                job_id=run.job_id,
                run_number=run.run_number,
                state=JobState.DEAD,
                finished_at=self.clock(),
                error_code=WorkflowLostError.code,
                error_message="the workflow ended without a result",
            )
            runs.finish(c, end)

    def _is_dropped(self, ticket: Ticket) -> bool:
        return not ticket.is_active or self._is_foreign(ticket)

    def _is_foreign(self, ticket: Ticket) -> bool:
        """Whether a workflow waits for a version of which no worker is left."""
        if not ticket.is_active or ticket.version == self.queue.version:
            return False
        with reading(self.engine) as c:
            alive = [
                heart for heart in heartbeats(c, WORKER) if heart.process_id not in self.silent
            ]
        return all(heart.detail.get(VERSION_KEY) != ticket.version for heart in alive)

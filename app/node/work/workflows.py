"""The two durable workflows: segment a job, deliver a job's results to one destination.

Each step's result is kept by the engine; after a crash a workflow goes on behind the last step
that finished. There is no limit on restarts: the death of a worker is no fault of the job.
Attempts are counted in the journal, where a replay by a person can reset them.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from dbos import DBOS, DBOSConfiguredInstance

from app.errors import InferenceLostError, JournalError, SpoolError
from app.node.journal.deliveries import DeliveryGroup
from app.node.work.outcomes import CANCELLED, OVER, disk_failed, done, failed
from app.node.work.queue import DELIVER, SEGMENT, WORKFLOWS_CLASS, WORKFLOWS_INSTANCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from concurrent.futures import Executor

    from app.node.delivery.attempt import Courier
    from app.node.inference.protocol import Request
    from app.node.inference.supervisor import Supervisor
    from app.node.journal.runs import RunningJob
    from app.node.work.outcomes import Outcome, Settled
    from app.node.work.segmenting import SegmentDesk
    from app.node.work.settling import Settlement

_T = TypeVar("_T")

WATCH_S: Final = 0.5
"""How often a running job looks whether it was cancelled, and tells how far it is."""

_DRAIN_POLL_S: Final = 0.05
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the steps work with.

    Attributes
    ----------
    desk : SegmentDesk
        Inputs, requests, progress.
    settlement : Settlement
        Consequences of an attempt.
    supervisor : Supervisor
        The inference process.
    courier : Courier
        Delivers.
    journal_threads, courier_threads : Executor
        Where blocking work runs; a destination that hangs must not hold up the journal.
    """

    desk: SegmentDesk
    settlement: Settlement
    supervisor: Supervisor
    courier: Courier
    journal_threads: Executor
    courier_threads: Executor


@dataclass(slots=True)
class _Progress:
    """The last thing the inference process said; written down only when it changed."""

    last: tuple[str, float] = ("", 0.0)
    written: tuple[str, float] = field(default=("", 0.0))


@DBOS.dbos_class(WORKFLOWS_CLASS)
class Workflows(DBOSConfiguredInstance):
    """The workflows of a worker; make one per process, before the engine starts."""

    def __init__(self, tools: Tools) -> None:
        """Keep the tools and register with the engine."""
        self._tools = tools
        self._at_work = 0
        self._is_draining = False
        super().__init__(config_name=WORKFLOWS_INSTANCE)

    def drain(self, grace_s: float) -> None:
        """Begin nothing new, and wait for what runs now.

        Parameters
        ----------
        grace_s : float
            At most so long, s. What is not finished then goes on after the next start.
        """
        self._is_draining = True
        deadline = time.monotonic() + grace_s
        while self._at_work and time.monotonic() < deadline:
            time.sleep(_DRAIN_POLL_S)

    @DBOS.workflow(name=SEGMENT, max_recovery_attempts=None)
    async def segment(self, job_id: str, run_number: int) -> str:
        """Segment a job: attempts with pauses between them, until one settles it."""
        # A worker that is leaving must not call a job running that it will not run.
        async with self._working():
            attempts = await self.prepare(job_id, run_number)
        while attempts is not None:
            async with self._working():
                outcome = await self.infer(job_id, run_number)
                settled = await self.settle(job_id, run_number, attempts, outcome)
            if settled["delay_s"] is None:
                return outcome["kind"]
            attempts = settled["attempts"]
            await self.pause(job_id, run_number, settled["delay_s"])
        return "over"

    @DBOS.workflow(name=DELIVER, max_recovery_attempts=None)
    async def deliver(self, job_id: str, destination: str, generation: int) -> None:
        """Deliver what is planned for a destination: attempts with pauses, until none is left."""
        while True:
            async with self._working():
                delay_s = await self.attempt(job_id, destination, generation)
            if delay_s is None:
                return
            await DBOS.sleep_async(delay_s)

    @DBOS.step(name="prepare")
    async def prepare(self, job_id: str, run_number: int) -> int | None:
        """Begin the run and link its inputs; the number of attempts so far, None if it is over."""
        begun = await self._begin(job_id, run_number)
        if isinstance(begun, dict):
            # What is wrong with the inputs will be found and settled by the first attempt.
            return 0
        return None if begun is None else begun.attempts

    @DBOS.step(name="infer", preemptible=True)
    async def infer(self, job_id: str, run_number: int) -> Outcome:
        """One attempt. A worker that dies here leaves no trace: the next one begins it anew."""
        begun = await self._begin(job_id, run_number)
        if begun is None:
            return OVER
        if isinstance(begun, dict):
            return begun
        desk = self._tools.desk
        is_wanted = await self._journal(lambda: desk.is_wanted(job_id, run_number))
        return await self._run(begun) if is_wanted else CANCELLED

    @DBOS.step(name="pause", preemptible=True)
    async def pause(self, job_id: str, run_number: int, delay_s: float) -> None:
        """Wait before the next attempt, unless the job is cancelled meanwhile."""
        desk, end = self._tools.desk, time.monotonic() + delay_s
        while time.monotonic() < end:
            await asyncio.sleep(min(WATCH_S, delay_s))
            if not await self._journal(lambda: desk.is_wanted(job_id, run_number)):
                return

    @DBOS.step(name="settle")
    async def settle(
        self, job_id: str, run_number: int, attempts: int, outcome: Outcome
    ) -> Settled:
        """Results, planned deliveries and the job's end, or the pause before the next attempt."""
        settle = self._tools.settlement.settle
        return await self._journal(lambda: settle(job_id, run_number, attempts, outcome))

    @DBOS.step(name="attempt")
    async def attempt(self, job_id: str, destination: str, generation: int) -> float | None:
        """Send what is due; seconds until the next attempt, None if nothing is left."""
        group = DeliveryGroup(job_id=job_id, destination=destination, generation=generation)
        courier, threads = self._tools.courier, self._tools.courier_threads
        verdict = await self._patiently(lambda: courier.attempt(group), threads)
        return verdict.delay_s

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        """Count what runs; while the worker ends, wait to be cancelled instead of beginning."""
        if self._is_draining:
            await asyncio.Event().wait()
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1

    async def _begin(self, job_id: str, run_number: int) -> RunningJob | Outcome | None:
        desk = self._tools.desk
        try:
            return await self._journal(lambda: desk.begin(job_id, run_number))
        except SpoolError as error:
            return failed(error)
        except OSError as error:
            return disk_failed(error)

    async def _run(self, job: RunningJob) -> Outcome:
        desk, progress = self._tools.desk, _Progress()

        def note(step: str, fraction: float) -> None:
            progress.last = (step, fraction)

        request = await self._journal(lambda: desk.request_of(job))
        attempt = asyncio.ensure_future(self._ask(request, note))
        try:
            while not attempt.done():
                await asyncio.wait({attempt}, timeout=WATCH_S)
                if not attempt.done() and not await self._goes_on(job, progress):
                    return CANCELLED
            return attempt.result()
        finally:
            # Also when the engine stops: cancelling ends the inference process.
            if not attempt.done():
                attempt.cancel()
                await asyncio.wait({attempt})

    async def _ask(self, request: Request, note: Callable[[str, float], None]) -> Outcome:
        supervisor = self._tools.supervisor
        try:
            await supervisor.start()
        except InferenceLostError as error:
            return failed(error, counts=False)
        try:
            return done(await supervisor.run(request, note))
        except InferenceLostError as error:
            return failed(error)

    async def _goes_on(self, job: RunningJob, progress: _Progress) -> bool:
        desk, told = self._tools.desk, progress.last

        def look() -> bool:
            if told != progress.written:
                desk.note_progress(job, *told)
            return desk.is_wanted(job.job_id, job.run_number)

        loop = asyncio.get_running_loop()
        try:
            is_wanted = await loop.run_in_executor(self._tools.journal_threads, look)
        except JournalError:
            # An outage is no reason to throw away minutes of work.
            return True
        progress.written = told
        return is_wanted

    async def _journal(self, work: Callable[[], _T]) -> _T:
        return await self._patiently(work, self._tools.journal_threads)

    async def _patiently(self, work: Callable[[], _T], threads: Executor) -> _T:
        """Do it again until the journal answers: an outage fails no job."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(threads, work)
            except JournalError:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

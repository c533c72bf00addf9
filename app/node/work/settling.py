"""What follows an attempt at a job: success, a refusal, another attempt, or a person's turn.

Settling may be repeated after a crash: the journal moves a run only from the state it is in, and
counts attempts by their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.errors import (
    VERDICTS_ON_IMAGES,
    ExitCode,
    OutputUnwritableError,
    ServiceError,
)
from app.node.delivery.routing import destinations_of, objects_for
from app.node.delivery.withheld import withheld_objects
from app.node.journal import deliveries, runs
from app.node.journal.engine import transaction
from app.node.journal.replaced import withdraw_replaced
from app.node.journal.runs import RunEnd
from app.node.journal.states import JobState
from app.node.telemetry import events
from app.node.work.agreeing import review
from app.node.work.outcomes import Failed, Outcome, Settled, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Engine

    from app.node.journal.runs import ResultFile
    from app.node.telemetry.logs import Emit
    from app.node.work.workfolder import WorkFolders
    from app.settings import NodeSettings

LONGEST_PAUSE_S: Final = 300.0
_START_PAUSES: Final = 3
"""An inference process that does not come up needs somebody, or at least some time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Draws the consequences of attempts; shared by the threads of a worker.

    Attributes
    ----------
    engine : Engine
        Journal.
    node : NodeSettings
        Routes, release, limits.
    folders : WorkFolders
        Inputs and results.
    clock : callable
        Epoch seconds.
    emit : Emit
        Event log.
    """

    engine: Engine
    node: NodeSettings
    folders: WorkFolders
    clock: Callable[[], float]
    emit: Emit

    def settle(self, job_id: str, run_number: int, attempts: int, outcome: Outcome) -> Settled:
        """Draw the consequence of an attempt, in one transaction.

        Parameters
        ----------
        job_id, run_number : str, int
            Which run.
        attempts : int
            Attempts that counted before this one.
        outcome : Outcome
            What it came to.

        Returns
        -------
        Settled
            What follows.

        Raises
        ------
        JournalError
            If the journal does not answer; settle again.
        """
        if outcome["kind"] == "done":
            settled = self._judge(job_id, run_number, attempts, outcome["record"])
        elif outcome["kind"] == "failed":
            settled = self._failed(job_id, run_number, attempts, outcome)
        else:
            if outcome["kind"] == "cancelled":
                self._end(self._run_end(job_id, run_number, JobState.CANCELLED))
            settled = Settled(delay_s=None, attempts=attempts)
        # A run that is over may have been replaced by one that uses the same inputs.
        if settled["delay_s"] is None and outcome["kind"] != "over":
            self.folders.clear(job_id)
        return settled

    def _judge(
        self, job_id: str, run_number: int, attempts: int, record: Mapping[str, Any]
    ) -> Settled:
        """Success, a refusal, or a failure that another attempt may mend."""
        code = int(record["exit_code"])
        error = record.get("error") or {}
        if code == ExitCode.OK:
            try:
                files = self.folders.results(job_id, record)
            except OutputUnwritableError as missing:
                return self._failed(job_id, run_number, attempts, failed(missing))
            self._publish(job_id, run_number, record, files)
            return Settled(delay_s=None, attempts=attempts)
        if code in VERDICTS_ON_IMAGES:
            end = self._run_end(
                job_id, run_number, JobState.REFUSED, record=record, **_named(error)
            )
            self._end(end, reasons=",".join(error.get("reasons", ())))
            return Settled(delay_s=None, attempts=attempts)
        outcome = Failed(
            kind="failed",
            code=str(error.get("code", ServiceError.code)),
            message=str(error.get("message", "")),
            counts=True,
            record=record,
        )
        return self._failed(job_id, run_number, attempts, outcome)

    def _publish(
        self, job_id: str, run_number: int, record: Mapping[str, Any], files: list[ResultFile]
    ) -> None:
        """Success: results, planned deliveries and the job's end become true at once."""
        now, withheld = self.clock(), withheld_objects(record, files)
        end = self._run_end(job_id, run_number, JobState.SUCCEEDED, record=record)
        with transaction(self.engine) as c:
            is_first, renamed = runs.finish(c, end), []
            if is_first:
                calling, called = runs.senders(c, job_id)
                runs.keep_results(c, job_id, files)
                for destination in destinations_of(self.node, calling, called):
                    deliveries.plan(
                        c,
                        job_id,
                        objects_for(self.node, destination, files),
                        destinations=[destination],
                        release=self.node.delivery.release,
                        now=now,
                    )
                deliveries.withhold(c, withheld, planned_at=now)
                withdraw_replaced(c, job_id, now)
                renamed = review(c, runs.study_of(c, job_id), now)
        if is_first:
            duration = record.get("duration_s")
            self.emit(events.JOB_SUCCEEDED, job=job_id, duration_s=duration, results=len(files))
            for cause in dict.fromkeys(withheld.values()):
                self.emit(
                    events.RESULT_WITHHELD,
                    job=job_id,
                    rules=cause.removeprefix(deliveries.WITHHELD),
                )
            for other in renamed:
                self.emit(events.JOB_RENAMED, job=other)
            return
        # Cancelled in the last moment; or settled before, by a worker whose crash undid only the
        # engine's note of it: then this changes nothing.
        self._end(self._run_end(job_id, run_number, JobState.CANCELLED))

    def _failed(self, job_id: str, run_number: int, attempts: int, outcome: Failed) -> Settled:
        limits, code, counts = self.node.worker, outcome["code"], outcome["counts"]
        attempts += counts
        if outcome.get("is_final") or attempts >= limits.attempts:
            end = self._run_end(
                job_id,
                run_number,
                JobState.DEAD,
                record=outcome.get("record"),
                code=code,
                message=outcome["message"],
            )
            with transaction(self.engine) as c:
                runs.note_attempt(c, job_id, run_number, attempts=attempts, error_code=code)
            self._end(end)
            return Settled(delay_s=None, attempts=attempts)
        with transaction(self.engine) as c:
            runs.note_attempt(c, job_id, run_number, attempts=attempts, error_code=code)
        self.emit(events.JOB_RETRIED, job=job_id, code=code, attempt=attempts)
        factor = 2 ** (attempts - 1) if counts else _START_PAUSES
        pause_s = limits.retry_after_s * factor
        return Settled(delay_s=min(pause_s, LONGEST_PAUSE_S), attempts=attempts)

    def _run_end(
        self,
        job_id: str,
        run_number: int,
        state: JobState,
        *,
        record: Mapping[str, Any] | None = None,
        code: str | None = None,
        message: str | None = None,
    ) -> RunEnd:
        return RunEnd(
            job_id=job_id,
            run_number=run_number,
            state=state,
            finished_at=self.clock(),
            record=record,
            error_code=code,
            error_message=message,
        )

    def _end(self, end: RunEnd, reasons: str = "") -> None:
        with transaction(self.engine) as c:
            is_first = runs.finish(c, end)
        if not is_first:
            return
        told: dict[JobState, tuple[events.Event, dict[str, object]]] = {
            JobState.REFUSED: (events.JOB_REFUSED, {"code": end.error_code, "reasons": reasons}),
            JobState.DEAD: (events.JOB_DEAD, {"code": end.error_code}),
            JobState.CANCELLED: (events.JOB_CANCELLED, {}),
        }
        event, values = told[end.state]
        self.emit(event, job=end.job_id, **values)


def _named(error: Mapping[str, Any]) -> dict[str, str]:
    return {"code": str(error.get("code", "")), "message": str(error.get("message", ""))}

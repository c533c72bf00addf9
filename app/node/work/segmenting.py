"""What happens before and while a job is segmented: its inputs, its request, its progress.

A step may be repeated after a crash at any point: what it did before is found done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.node.inference.protocol import Request
from app.node.intake.job_ids import job_id_of
from app.node.journal import jobs, runs
from app.node.journal.engine import reading, transaction
from app.node.journal.level_inputs import keep_first_stations, level_inputs
from app.node.journal.renewal import renew
from app.node.telemetry import events
from operators.dicom.identity.provenance import Predecessor
from operators.dicom.identity.result_kinds import kind_of
from operators.dicom.identity.stack_identity import from_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

    from app.node.journal.runs import RunningJob
    from app.node.telemetry.logs import Emit
    from app.node.work.workfolder import WorkFolders
    from operators.dicom.identity.provenance import WorkIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDesk:
    """The steps of a segmentation; shared by the threads of a worker.

    Attributes
    ----------
    engine : Engine
        Journal.
    folders : WorkFolders
        Inputs and results.
    worker_id : str
        Who works.
    identity : WorkIdentity
        Of this installation.
    clock : callable
        Epoch seconds.
    emit : Emit
        Event log.
    """

    engine: Engine
    folders: WorkFolders
    worker_id: str
    identity: WorkIdentity
    clock: Callable[[], float]
    emit: Emit

    def begin(self, job_id: str, run_number: int) -> RunningJob | None:
        """Begin a run or go on with it, and link its inputs.

        A job that has results and would now get others (another version, model or setting, or
        levels that a person or another series has given since) goes on under another id, so that
        the new results are other objects and name the old ones.

        Returns
        -------
        RunningJob or None
            None where it is over, cancelled or replaced.

        Raises
        ------
        JournalError
            If the journal does not answer.
        SpoolError, OSError
            If the inputs cannot be linked.
        """
        with transaction(self.engine) as c:
            job = runs.begin(c, job_id, run_number, worker_id=self.worker_id, now=self.clock())
            if job is None:
                return None
            content = job.series_uid, job.content_digest
            keep_first_stations(c, job, self.clock())
            new_id = job_id_of(self.identity, *content, level_inputs(c, *content).words)
            is_renewed = renew(c, job, new_id, self.clock())
            inputs = jobs.inputs(c, job_id)
        if is_renewed:
            self.emit(events.JOB_RENEWED, job=job_id, renewed=new_id)
            return None
        self.folders.prepare(job_id, inputs)
        return job

    def request_of(self, job: RunningJob) -> Request:
        """Give what the inference process is asked to do; the same at every attempt."""
        self.emit(events.JOB_STARTED, job=job.job_id, attempt=job.attempts + 1)
        with reading(self.engine) as c:
            replaced = runs.results_replaced(c, job.job_id)
            known = level_inputs(c, job.series_uid, job.content_digest)
        return Request(
            job_id=job.job_id,
            source=self.folders.source(job.job_id),
            output=self.folders.output(job.job_id),
            started=datetime.fromtimestamp(job.clock, UTC),
            parameters=self.identity.parameters,
            intended_use=self.identity.intended_use,
            named=known.named,
            others=known.stations,
            predecessors=tuple(
                Predecessor(
                    kind=kind.name,
                    study_uid=job.study_uid,
                    series_uid=earlier.file.series_uid,
                    sop_instance_uid=earlier.file.sop_instance_uid,
                    stack=from_json(earlier.stack),
                )
                for earlier in replaced
                if (kind := kind_of(earlier.file.name)) is not None
            ),
        )

    def is_wanted(self, job_id: str, run_number: int) -> bool:
        """Whether a run is still to go on."""
        with reading(self.engine) as c:
            return runs.is_wanted(c, job_id, run_number)

    def note_progress(self, job: RunningJob, step: str, fraction: float) -> None:
        """How far a run is, for the page."""
        with transaction(self.engine) as c:
            runs.note_progress(c, job.job_id, job.run_number, step=step, fraction=fraction)

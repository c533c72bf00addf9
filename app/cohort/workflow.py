"""The durable workflow of a case: a step per source, then one that publishes.

A step's result is kept by the engine: a process that is killed loses the run it was in, no other.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dbos import DBOS, DBOSConfiguredInstance

from app.cohort.engine import CASE, WORKFLOWS_CLASS, WORKFLOWS_INSTANCE
from app.cohort.folder import own_name
from app.cohort.publishing import RUN_RECORD, publish
from app.errors import ExitCode, InferenceLostError, OutputUnwritableError
from app.node.inference.protocol import Request
from app.run.record import ErrorRecord, ResultRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from app.cohort.cases import CohortCase, Source
    from app.cohort.folder import CohortFolder
    from app.node.inference.supervisor import Supervisor
    from operators.dicom.identity.provenance import IntendedUse

_CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the steps work with.

    Attributes
    ----------
    folder : CohortFolder
        Output.
    root : Path
        Of the data set.
    started : datetime
        Time written into results.
    parameters : tuple of (str, str)
        Settings of the site that change the result.
    extras : tuple of str
        Optional kinds of results that are written as well.
    intended_use : IntendedUse or None
        Of the site.
    attempts : int
        How often a run may lose its inference process.
    supervisors : tuple of Supervisor
        As many as cases are worked on at once.
    on_end : callable
        Told the id of a case that was published, in any thread.
    on_trouble : callable
        Told what keeps every case from ending, in any thread.
    """

    folder: CohortFolder
    root: Path
    started: datetime
    parameters: tuple[tuple[str, str], ...]
    extras: tuple[str, ...]
    intended_use: IntendedUse | None
    attempts: int
    supervisors: tuple[Supervisor, ...]
    on_end: Callable[[str], None]
    on_trouble: Callable[[Exception], None]


@DBOS.dbos_class(WORKFLOWS_CLASS)
class CohortWorkflows(DBOSConfiguredInstance):
    """The workflow of this process; make one before the engine starts."""

    def __init__(self, tools: Tools) -> None:
        """Keep the tools and register with the engine."""
        self._tools = tools
        self._free = asyncio.Queue[Any]()
        for supervisor in tools.supervisors:
            self._free.put_nowait(supervisor)
        self.is_leaving = False
        super().__init__(config_name=WORKFLOWS_INSTANCE)

    @DBOS.workflow(name=CASE, max_recovery_attempts=None)
    async def segment_case(self, case_id: str) -> None:
        """Segment every source of a case, then publish it."""
        case = await asyncio.to_thread(self._tools.folder.case, case_id)
        runs = [await self.run(case_id, number) for number in range(len(case.sources))]
        await self.publish(case_id, runs)

    @DBOS.step(name="run", preemptible=True)
    async def run(self, case_id: str, number: int) -> str:
        """Segment one source; the name of the folder with its results."""
        await self._stay_if_leaving()
        case = await asyncio.to_thread(self._tools.folder.case, case_id)
        # Of this process: one that was thought dead and wakes up finds its own place.
        name = f"{number}-{own_name()}"
        place = self._tools.folder.work_of(case_id) / name
        try:
            record = await self._segment(case, case.sources[number], place)
            text = json.dumps(record)
            await asyncio.to_thread((place / RUN_RECORD).write_text, text, "utf-8")
        except OSError as error:
            await self._halt(_unwritable(error))
        return name

    @DBOS.step(name="publish")
    async def publish(self, case_id: str, runs: list[str]) -> None:
        """Publish a case."""
        folder = self._tools.folder
        work = folder.work_of(case_id)
        try:
            case = await asyncio.to_thread(folder.case, case_id)
            await asyncio.to_thread(publish, folder, case, [work / run for run in runs])
        except FileNotFoundError:
            raise  # somebody removed a run's results: the case begins anew
        except OSError as error:
            await self._halt(_unwritable(error))
        self._tools.on_end(case_id)

    async def _segment(self, case: CohortCase, source: Source, place: Path) -> dict[str, Any]:
        request = Request(
            job_id=case.case_id,
            source=source.below(self._tools.root),
            output=place,
            started=self._tools.started,
            extras=self._tools.extras,
            nifti=True,
            parameters=self._tools.parameters,
            intended_use=self._tools.intended_use,
        )
        for attempt in range(1, self._tools.attempts + 1):
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
            try:
                record = await self._ask(request)
            except InferenceLostError as error:
                await self._stay_if_leaving()
                if attempt < self._tools.attempts:
                    continue
                record = _lost(error)
            if record["status"] == "interrupted" and attempt < self._tools.attempts:
                continue
            if _is_disk_trouble(record):
                await self._halt(OutputUnwritableError(record["error"]["message"]))
            await asyncio.to_thread(place.mkdir, parents=True, exist_ok=True)
            return record
        raise AssertionError("no attempt")  # attempts >= 1

    async def _ask(self, request: Request) -> dict[str, Any]:
        supervisor: Supervisor = await self._free.get()
        try:
            await supervisor.start()
        except InferenceLostError as error:
            await self._stay_if_leaving()
            await self._halt(error)  # models that do not load are no fault of the case
        try:
            return await supervisor.run(request)
        finally:
            self._free.put_nowait(supervisor)

    async def _stay_if_leaving(self) -> None:
        """While the process ends, wait to be cancelled: the step counts as not done."""
        if self.is_leaving:
            await asyncio.Event().wait()

    async def _halt(self, error: Exception) -> None:
        self._tools.on_trouble(error)
        await asyncio.Event().wait()


def _lost(error: InferenceLostError) -> dict[str, Any]:
    """Record of a run whose process died, hung or needed too much memory, time and again."""
    record = ResultRecord(
        status="failed", exit_code=int(ExitCode.INTERNAL), error=ErrorRecord.of(error)
    )
    return record.as_dict()


def _is_disk_trouble(record: dict[str, Any]) -> bool:
    errors = [record["error"], *(entry["error"] for entry in record["series"])]
    return any(one is not None and one["code"] == OutputUnwritableError.code for one in errors)


def _unwritable(error: OSError) -> OutputUnwritableError:
    message = f"the output folder cannot be written: {error.strerror}"
    return OutputUnwritableError(message, reasons=("output_unwritable",))

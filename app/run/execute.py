"""Run the graph once: the one way in for the command line, the MAP and the worker.

The output folder receives the finished files in one move each at the end; on failure it stays
as it was found.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app import __version__
from app.errors import ExitCode, OutputUnwritableError, exit_code_of
from app.run.bootstrap import prepare_process
from app.run.identity import labelling_parameter
from app.run.record import ErrorRecord, ResultRecord, common_numbering, entry_of, verdict
from operators.anatomy.named_vertebrae import parameter_of
from operators.dicom.identity.provenance import ResultContext, notice_of
from operators.dicom.identity.result_kinds import USUAL_EXTRAS
from operators.dicom.reading.input_files import is_nifti
from operators.dicom.selection.outlook import as_json
from operators.dicom.selection.series_selection import SelectionSettings
from operators.errors import (
    InterruptedRunError,
    SpineError,
    UnreadableInputError,
)
from operators.imaging.nifti import read_note
from operators.imaging.result_files import (
    case_name,
    require_replaceable,
    result_names,
    source_note,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from app.run.models import ModelBundle
    from app.run.record import Status
    from operators.anatomy.named_vertebrae import NamedVertebra
    from operators.case import Case, Progress
    from operators.dicom.identity.provenance import IntendedUse, Predecessor
    from operators.dicom.selection.series_selection import SeriesDecision
    from operators.spine.levels.stations import Station


_STATUS_OF_CODE: dict[ExitCode, Status] = {
    ExitCode.INCOMPLETE: "interrupted",
    ExitCode.NO_SERIES: "no_series",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: what to read, where to write.

    Attributes
    ----------
    source : Path or tuple of Path
        DICOM folder, file or files, or NIfTI file.
    output : Path
        Folder for the results; made if missing.
    started : datetime
        Time written into the results; a retry hands in the time of the first attempt.
    semantic_mask : Path or None
        Start at phase 2 from this NIfTI label map.
    extras : frozenset of str
        Optional kinds of results that are written as well, such as ``overlay``
        (`operators.dicom.identity.result_kinds`). The record has the measurements in any case.
    nifti : bool
        Also write the masks and the centroids of a DICOM series as a NIfTI image has them.
    predecessors : tuple of Predecessor
        Earlier results of the same series that the new ones replace and name.
    selection : SelectionSettings
        What is worth segmenting.
    parameters : tuple of (str, str)
        Settings of the site that change the result (`app.run.identity.parameters_of`).
    intended_use : IntendedUse or None
        Of the site; without one every result says that it is for research only.
    named : tuple of NamedVertebra
        Levels that a person has given; they change the result, too.
    others : tuple of Station
        Results of other series of the study, with which overlapping ones have to agree.
    """

    source: Path | tuple[Path, ...]
    output: Path
    started: datetime
    semantic_mask: Path | None = None
    extras: frozenset[str] = USUAL_EXTRAS
    nifti: bool = False
    predecessors: tuple[Predecessor, ...] = ()
    selection: SelectionSettings = field(default_factory=SelectionSettings)
    parameters: tuple[tuple[str, str], ...] = ()
    intended_use: IntendedUse | None = None
    named: tuple[NamedVertebra, ...] = ()
    others: tuple[Station, ...] = ()


def execute(
    job: Job,
    models: ModelBundle,
    *,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> ResultRecord:
    """Run the graph on one study and judge the result.

    Parameters
    ----------
    job : Job
        What to do.
    models : ModelBundle
        Loaded networks.
    progress : callable, optional
        Told (case key, step, fraction).
    is_cancelled : callable
        Asked at every progress; True ends the run as interrupted.

    Returns
    -------
    ResultRecord
        Never an exception for what a study can cause; its ``exit_code`` is the verdict.
    """
    start = time.perf_counter()
    run = _Run(job, models, progress, is_cancelled)
    try:
        record = run.perform()
    except SpineError as error:
        record = run.failed(error)
    return replace(record, duration_s=round(time.perf_counter() - start, 3))


@dataclass
class _Run:
    """State of one run; the graph's callbacks write into it."""

    job: Job
    models: ModelBundle
    progress: Progress | None
    is_cancelled: Callable[[], bool]
    decisions: tuple[SeriesDecision, ...] = ()
    passed_over: dict[str, int] = field(default_factory=dict)
    cases: tuple[Case, ...] | None = None

    def perform(self) -> ResultRecord:
        """Run the graph in a staging folder, then publish what it wrote."""
        source = self.job.source
        if isinstance(source, Path) and not source.exists():
            raise UnreadableInputError("the input does not exist", reasons=("missing_input",))
        self._require_replaceable()
        existed = self.job.output.is_dir()
        staging = _make_staging(self.job.output)
        try:
            self._run_graph(staging)
            if self.cases is None:
                raise InterruptedRunError("the graph ended without a result")
            self.check_cancelled()
            self.cases = tuple(self._publish(case) for case in self.cases)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            if not existed and not any(self.job.output.iterdir()):
                self.job.output.rmdir()
        status, code = verdict(self.cases)
        failures = [case.failure for case in self.cases if case.failure is not None]
        return self._record(
            status=status,
            exit_code=int(code),
            error=ErrorRecord.of(failures[0]) if status == "failed" else None,
        )

    def _require_replaceable(self) -> None:
        """Find now, not after the inference, that another image's result lies in the way."""
        source = self.job.source
        if not (isinstance(source, Path) and source.is_file() and is_nifti(source)):
            return
        for name in result_names(case_name(source)):
            target = self.job.output / name
            if target.exists() and is_nifti(target):
                require_replaceable(target, source_note(source))

    def failed(self, error: SpineError) -> ResultRecord:
        """Record of a run that ended as a whole."""
        code = exit_code_of(error)
        status = _STATUS_OF_CODE.get(code, "failed")
        self.cases = None if status == "interrupted" else self.cases
        return self._record(status=status, exit_code=int(code), error=ErrorRecord.of(error))

    def check_cancelled(self) -> None:
        """Raise if the run was told to stop."""
        if self.is_cancelled():
            raise InterruptedRunError("the run was told to stop")

    def _run_graph(self, staging: Path) -> None:
        prepare_process()
        # Not at the top: holoscan must find the process prepared at its first import.
        from app.run.graph import SpineApplication, Wiring, use_of  # noqa: PLC0415
        from operators.write_segmentation import WriteOptions  # noqa: PLC0415

        context = self._context(use_of(self.models.semantic, self.models.instance))
        wiring = Wiring(
            source=self.job.source,
            semantic_mask=self.job.semantic_mask,
            semantic_model=self.models.semantic,
            instance_model=self.models.instance,
            write=WriteOptions(
                folder=staging, context=context, extras=self.job.extras, nifti=self.job.nifti
            ),
            selection=self.job.selection,
            on_decisions=self._take_decisions,
            on_passed_over=self._take_passed_over,
            on_cases=self._take_cases,
            progress=self._report,
            labelling_model=self.models.labelling,
            named=self.job.named,
            others=self.job.others,
        )
        SpineApplication(wiring).run()

    def _context(self, use: tuple[tuple[str, str], ...]) -> ResultContext:
        labelling = self.models.labelling_identity
        used = labelling_parameter(labelling.digest if labelling else "")
        # A node has said it already: its job ids rest on it.
        settings = tuple(dict.fromkeys((*self.job.parameters, *used)))
        return ResultContext(
            semantic_model=self.models.semantic_identity,
            instance_model=self.models.instance_identity,
            clock=self.job.started,
            software_version=__version__,
            numeric_profile=self.models.profile,
            parameters=(*settings, *parameter_of(self.job.named), *use),
            intended_use=self.job.intended_use,
            predecessors=self.job.predecessors,
        )

    def _take_decisions(self, decisions: tuple[SeriesDecision, ...]) -> None:
        self.decisions = decisions

    def _take_passed_over(self, counts: dict[str, int]) -> None:
        self.passed_over = counts

    def _take_cases(self, cases: tuple[Case, ...]) -> None:
        self.cases = cases

    def _report(self, key: str, step: str, fraction: float) -> None:
        self.check_cancelled()
        if self.progress is not None:
            self.progress(key, step, fraction)

    def _publish(self, case: Case) -> Case:
        published = []
        for file in case.written:
            if is_nifti(file):
                require_replaceable(self.job.output / file.name, read_note(file))
        try:
            for file in case.written:
                target = self.job.output / file.name
                file.replace(target)
                published.append(target)
        except OSError as error:
            raise OutputUnwritableError(
                f"the result cannot be moved to the output folder: {error.strerror}"
            ) from error
        return replace(case, written=tuple(published))

    def _record(self, *, status: Status, exit_code: int, error: ErrorRecord | None) -> ResultRecord:
        entries = tuple(entry_of(case) for case in self.cases or ())
        return ResultRecord(
            status=status,
            exit_code=exit_code,
            series=entries,
            decisions=tuple(as_json(self.decisions)),
            passed_over=self.passed_over,
            models=self.models.identities,
            profile=self.models.profile,
            error=error,
            notice=notice_of(self.job.intended_use),
            numbering=common_numbering(entries),
        )


def _make_staging(output: Path) -> Path:
    try:
        output.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=output, prefix=".spine-node-"))
    except OSError as error:
        raise OutputUnwritableError(
            f"the output folder cannot be written: {error.strerror}",
            reasons=("output_unwritable",),
        ) from error

"""The result record: what a run did, as plain data for people and machines.

Success is judged by this record and the files it names, never by the return of the graph.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from app.errors import WORST_FIRST, ExitCode, OutputUnwritableError, exit_code_of
from operators.anatomy.labels import Structure
from operators.anatomy.levels import numbering_text
from operators.anatomy.vertebrae import vertebrae_among
from operators.dicom.identity.provenance import RESEARCH_NOTICE
from operators.imaging.volume import voxel_volume_mm3
from operators.spine.measurements.rows import documents, units_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from operators.case import Case
    from operators.errors import SpineError
    from operators.imaging.volume import LabelMap
    from operators.spine.confidence import Agreement, Confidence
    from operators.spine.quality.findings import Quality

NUMBERING: Final = numbering_text()

Status = Literal["ok", "partial", "no_series", "failed", "interrupted"]

_MM3_PER_ML: Final = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """One failure: stable code, message free of patient data, every reason that applies."""

    code: str
    message: str
    reasons: tuple[str, ...] = ()
    exit_code: int

    @classmethod
    def of(cls, error: SpineError) -> ErrorRecord:
        """Record of a named error."""
        return cls(
            code=error.code,
            message=error.message,
            reasons=error.reasons,
            exit_code=int(exit_code_of(error)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRecordEntry:
    """What became of one accepted stack; most series hold one.

    ``series_uid`` and ``study_uid`` are those of the images, empty for NIfTI; ``files`` are names
    in the output folder. ``vertebra_numbers`` are the ids in the mask from head to foot,
    ``numbering`` says how they are meant; every other number of a vertebra in an entry is one of
    them. ``levels`` names the level of each, by its number, with confidence, rival and evidence
    (`operators.anatomy.levels`).
    ``station`` is what the levels rest on, for other series of the study
    (`operators.spine.levels.stations`).
    ``confidence`` holds the
    network's mean probability of what it decided, per structure name and per vertebra number,
    0 to 1; ``agreement`` the mean share of the folds that decided so by
    themselves, empty for models of one fold (`operators.networks.fold_votes`);
    ``quality`` says whether the result may leave and what a human should look at
    (`operators.spine.quality`); ``stack`` says which
    stack of its series it is and where it lies (`operators.dicom.identity.stack_identity`).
    ``measurements`` holds values and reasons by instance
    (`operators.spine.measurements.rows.documents`), ``measurement_units`` their UCUM units.
    """

    key: str
    status: Literal["ok", "failed"]
    series_uid: str = ""
    study_uid: str = ""
    stack: dict[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    vertebrae: int = 0
    vertebra_numbers: tuple[int, ...] = ()
    numbering: str = ""
    levels: dict[str, dict[str, Any]] = field(default_factory=dict)
    station: dict[str, Any] = field(default_factory=dict)
    volumes_ml: dict[str, float] = field(default_factory=dict)
    confidence: dict[str, dict[str, float]] = field(default_factory=dict)
    agreement: dict[str, dict[str, float]] = field(default_factory=dict)
    measurements: tuple[dict[str, Any], ...] = ()
    measurement_units: dict[str, str] = field(default_factory=dict)
    quality: Quality | None = None
    facts: tuple[str, ...] = ()
    durations_s: dict[str, float] = field(default_factory=dict)
    error: ErrorRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRecord:
    """What one run did.

    Attributes
    ----------
    status : str
        ``ok``, ``partial`` (some series failed), ``no_series``, ``failed``, ``interrupted``.
    exit_code : int
        What ``spine-node run`` answers.
    series : tuple
        One entry per accepted stack, and per acquisition that is refused as a whole.
    decisions : list of dict
        Every series of the input with its decision, reasons and the problems of its files.
    passed_over : dict of str to int
        How many files and links of the input were not read, by reason.
    models : dict
        Name, version and digest of the model of each phase.
    profile : str
        Device and number format of the networks.
    error : ErrorRecord or None
        What ended the run as a whole.
    numbering : str
        How the vertebrae of all series are numbered (`common_numbering`).
    """

    status: Status
    exit_code: int
    series: tuple[SeriesRecordEntry, ...] = ()
    decisions: tuple[dict[str, Any], ...] = ()
    passed_over: dict[str, int] = field(default_factory=dict)
    models: dict[str, dict[str, str]] = field(default_factory=dict)
    profile: str = ""
    duration_s: float = 0.0
    error: ErrorRecord | None = None
    notice: str = RESEARCH_NOTICE
    numbering: str = NUMBERING

    def without_uids(self) -> ResultRecord:
        """Copy for places where UIDs, which lead to a patient, must not stand: journal and logs."""
        series = tuple(replace(entry, series_uid="", study_uid="") for entry in self.series)
        return replace(self, series=series)

    def as_dict(self) -> dict[str, Any]:
        """Plain dict for JSON."""
        return asdict(self)


def write_record(record: ResultRecord, path: Path) -> None:
    """Write a record as JSON.

    Raises
    ------
    OutputUnwritableError
        ``report_unwritable``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record.as_dict(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        message = f"the record cannot be written: {error.strerror}"
        raise OutputUnwritableError(message, reasons=("report_unwritable",)) from error


def quality_lines(record: ResultRecord) -> Iterator[str]:
    """Say what the quality gate found, one line per finding, free of patient data."""
    for entry in record.series:
        for finding in entry.quality.findings if entry.quality is not None else ():
            yield f"{entry.key}: {finding.outcome}: {finding.sentence}"


def entry_of(case: Case) -> SeriesRecordEntry:
    """Record of one finished case."""
    numbers = vertebra_numbers(case.instances)
    durations = {step.name: step.duration_s for step in case.steps}
    series_uid, study_uid = _uids(case)
    measured = documents(case.measurements)
    if case.failure is not None:
        return SeriesRecordEntry(
            key=case.key,
            status="failed",
            series_uid=series_uid,
            study_uid=study_uid,
            stack=case.stack.as_json(),
            facts=case.facts,
            durations_s=durations,
            error=ErrorRecord.of(case.failure),
        )
    return SeriesRecordEntry(
        key=case.key,
        status="ok",
        series_uid=series_uid,
        study_uid=study_uid,
        stack=case.stack.as_json(),
        files=tuple(path.name for path in case.written),
        vertebrae=len(numbers),
        vertebra_numbers=numbers,
        numbering=numbering_text(numbers, case.levels),
        levels={str(n): name.as_json() for n, name in case.levels.items()},
        station=case.station.as_json() if case.station and case.station.frame else {},
        volumes_ml=volumes_ml(case.semantic),
        confidence=by_name(case.confidence),
        agreement=by_name(case.agreement),
        measurements=measured,
        measurement_units=units_of(measured),
        quality=case.quality,
        facts=case.facts,
        durations_s=durations,
    )


def _uids(case: Case) -> tuple[str, str]:
    series = case.series
    return ("", "") if series is None else (series.series_uid, series.study_uid)


def common_numbering(entries: Iterable[SeriesRecordEntry]) -> str:
    """Say how the vertebrae of a run are numbered, or that its series differ in that."""
    found = {entry.numbering for entry in entries if entry.numbering}
    return NUMBERING if not found else found.pop() if len(found) == 1 else "as each series says"


def vertebra_numbers(instances: LabelMap | None) -> tuple[int, ...]:
    """Ids of the vertebrae of an instance map, head to foot."""
    if instances is None:
        return ()
    return vertebrae_among(np.unique(instances.labels_zyx).tolist())


def volumes_ml(semantic: LabelMap | None) -> dict[str, float]:
    """Volume of every structure present, in millilitres, by lower-case structure name."""
    if semantic is None:
        return {}
    voxel_ml = voxel_volume_mm3(semantic.affine_lps) / _MM3_PER_ML
    counts = np.bincount(semantic.labels_zyx.ravel())
    return {
        structure.name.lower(): round(float(counts[structure]) * voxel_ml, 2)
        for structure in Structure
        if structure < len(counts) and counts[structure]
    }


def by_name(figures: Confidence | Agreement | None) -> dict[str, dict[str, float]]:
    """Means per structure name and per vertebra number; empty where unknown."""
    if figures is None:
        return {}
    structures = {Structure(n).name.lower(): mean for n, mean in figures.structures.items()}
    vertebrae = {str(n): mean for n, mean in figures.vertebrae.items()}
    return {"structures": structures, "vertebrae": vertebrae}


def verdict(cases: tuple[Case, ...]) -> tuple[Status, ExitCode]:
    """Status and exit code of a run whose graph came to its end.

    One good series makes the run a success (``partial`` where others failed); else the
    failure that most needs attention gives the exit code.
    """
    failures = [case.failure for case in cases if case.failure is not None]
    if not failures:
        return "ok", ExitCode.OK
    if len(failures) < len(cases):
        return "partial", ExitCode.OK
    codes = {exit_code_of(failure) for failure in failures}
    return "failed", next((code for code in WORST_FIRST if code in codes), ExitCode.INTERNAL)

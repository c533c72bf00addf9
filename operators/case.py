"""What travels through the graph: one case per stack, complete or with its failure.

A failed case goes through the remaining steps untouched, so that one refused station never
loses the others. Steps return new cases; nothing here computes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from operators.dicom.identity.stack_identity import ONLY_STACK, StackIdentity
from operators.errors import InterruptedRunError, SpineError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from operators.anatomy.levels import LevelName
    from operators.dicom.reading.series import SeriesRecord
    from operators.imaging.volume import LabelMap, Volume
    from operators.spine.confidence import Agreement, Confidence
    from operators.spine.levels.stations import Station
    from operators.spine.measurements.measure import Measurement
    from operators.spine.quality.findings import Quality


GIVEN_MASK = "semantic_mask_given"
"""Fact of a case whose structures came from outside: nobody asks whether they are a spine."""

Progress = Callable[[str, str, float], None]
"""Called with (case key, step name, fraction done); may raise `InterruptedRunError`."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """How long one step took for one case.

    Attributes
    ----------
    name : str
        The step's module name, for example ``segment_semantic``.
    duration_s : float
        Wall time in seconds.
    """

    name: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One stack on its way through the pipeline; most series hold one.

    Attributes
    ----------
    key : str
        Short name without patient data, for file names and progress.
    series : SeriesRecord or None
        The frames to segment; None for a NIfTI input.
    stack : StackIdentity
        Which stack of its series it is.
    nifti : Path or None
        The NIfTI input; None for DICOM and for an image in memory.
    volume : Volume or None
        The image on its source grid, after assembly; before it, for an image in memory.
    semantic_model_grid : LabelMap or None
        Cleaned subregions on the model grid, after phase 1.
    instances_model_grid : LabelMap or None
        Raw instances on the same grid, after phase 2.
    certainty_model_grid : LabelMap or None
        Probability of each voxel's class times 255, after phase 1.
    agreement_model_grid : LabelMap or None
        Share of the folds' answers that agree times 240, after phase 1; None for a single fold.
    semantic, instances : LabelMap or None
        Final masks on the source grid, after post-processing.
    levels : mapping of int to LevelName
        Level of every vertebra by its id, after `operators.label_vertebrae`.
    station : Station or None
        What `levels` rest on, for other series of the study.
    levels_of_stations : str
        Digest of `levels` where they rest on other cases, too; empty where they don't.
    confidence : Confidence or None
        Mean certainty per structure and vertebra, after post-processing.
    agreement : Agreement or None
        Mean agreement of the folds, likewise.
    measurements : tuple of Measurement
        Every measure of every structure, after measuring.
    quality : Quality or None
        What the quality gate says, after `operators.assess_quality`.
    facts : tuple of str
        What a reader of the record should know; free of patient data.
    steps : tuple of StepRecord
        Time of each step so far.
    written : tuple of Path
        Files on disk, after writing.
    failure : SpineError or None
        Why the case ended early.
    """

    key: str
    series: SeriesRecord | None = None
    stack: StackIdentity = ONLY_STACK
    nifti: Path | None = None
    volume: Volume | None = None
    semantic_model_grid: LabelMap | None = None
    instances_model_grid: LabelMap | None = None
    certainty_model_grid: LabelMap | None = None
    agreement_model_grid: LabelMap | None = None
    semantic: LabelMap | None = None
    instances: LabelMap | None = None
    levels: Mapping[int, LevelName] = field(default_factory=dict)
    station: Station | None = None
    levels_of_stations: str = ""
    confidence: Confidence | None = None
    agreement: Agreement | None = None
    measurements: tuple[Measurement, ...] = ()
    quality: Quality | None = None
    facts: tuple[str, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    written: tuple[Path, ...] = ()
    failure: SpineError | None = None


def advance(
    cases: tuple[Case, ...],
    step_name: str,
    step: Callable[[Case], Case],
    progress: Progress,
) -> tuple[Case, ...]:
    """Apply one step to every case that has not failed.

    Parameters
    ----------
    cases : tuple of Case
        In any state.
    step_name : str
        Name for the step record.
    step : callable
        Takes and returns a case; may raise `SpineError`.
    progress : callable
        Told before and after each case.

    Returns
    -------
    tuple of Case
        Same order; a `SpineError` becomes the case's failure.

    Raises
    ------
    InterruptedRunError
        Passed on: an interruption ends the whole run, not one case.
    """
    results = []
    for case in cases:
        if case.failure is not None:
            results.append(case)
            continue
        progress(case.key, step_name, 0.0)
        start = time.perf_counter()
        try:
            result = step(case)
        except InterruptedRunError:
            raise
        except SpineError as error:
            result = replace(case, failure=error)
        record = StepRecord(step_name, round(time.perf_counter() - start, 3))
        results.append(replace(result, steps=(*result.steps, record)))
        progress(case.key, step_name, 1.0)
    return tuple(results)

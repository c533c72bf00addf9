"""Step 9: final masks -> files in the output folder, each written whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.case_step import CaseStep
from operators.dicom.identity.result_kinds import (
    INSTANCES,
    MEASUREMENT_REPORT,
    MEASUREMENTS,
    OVERLAY,
    PDF,
    PREVIEW,
    REPORT_FILE,
    SEMANTIC,
    kinds_to_write,
)
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.measurement_report import encode_measurement_report
from operators.dicom.results.segmentation import encode_segmentations
from operators.errors import EncodingError
from operators.imaging.nifti import write_label_map
from operators.imaging.result_files import (
    RESULT_ENDINGS,
    result_names,
    source_note,
    spineps_stem,
)
from operators.spine.centroids import centroid_document
from operators.spine.measurements.codes import coded
from operators.spine.measurements.rows import csv_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from pydicom.dataset import Dataset

    from operators.case import Case, Progress
    from operators.dicom.identity.provenance import ResultContext
    from operators.imaging.scene import Scene
    from operators.imaging.volume import LabelMap, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What the last step writes.

    Attributes
    ----------
    folder : Path
        Existing folder; the caller moves its content to where it belongs.
    context : ResultContext
        Which software and models made the result, and when.
    extras : frozenset of str
        Optional kinds of results that are written as well (`identity.result_kinds`).
    nifti : bool
        Also write the masks and the centroids of a DICOM series as NIfTI and JSON.
    """

    folder: Path
    context: ResultContext
    extras: frozenset[str]
    nifti: bool = False


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A case that has a result, as the writers of its files take it.

    What several of them need is made once, where it is first asked for.

    Attributes
    ----------
    case : Case
        With measurements and levels.
    volume : Volume
        The image on its source grid.
    semantic, instances : LabelMap
        Final masks on it.
    objects : dict of str to Dataset
        DICOM objects by their kind, as far as they have been made.
    documents : dict of str to bytes
        Other contents that several kinds need, likewise.
    """

    case: Case
    volume: Volume
    semantic: LabelMap
    instances: LabelMap
    objects: dict[str, Dataset] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def scene(self) -> Scene:
        """What the pictures show."""
        # Not at the top: a run without pictures saves the quarter of a second of its import.
        from operators.imaging.scene import scene_of  # noqa: PLC0415

        return scene_of(self.volume, self.semantic, self.instances, self.case.levels)


class WriteSegmentationOperator(CaseStep):
    """Receive ``cases``, write them, hand them to ``on_cases``."""

    NAME = "write_segmentation"

    def __init__(
        self,
        fragment: Any,
        *args: Any,
        options: WriteOptions,
        on_cases: Callable[[tuple[Case, ...]], None],
        progress: Progress,
        **kwargs: Any,
    ) -> None:
        """Keep where to write and whom to tell."""
        self._options = options
        self._on_cases = on_cases
        super().__init__(fragment, *args, progress=progress, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare the input ``cases``."""
        spec.input("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Write every case that has a result."""
        self._on_cases(self.advanced(op_input.receive("cases")))

    def step(self, case: Case) -> Case:
        """Write a case that has a result."""
        if case.volume is None or case.semantic is None or case.instances is None:
            raise EncodingError("there is no result to write")
        done = Finished(
            case=case, volume=case.volume, semantic=case.semantic, instances=case.instances
        )
        folder, context = self._options.folder, self._options.context.of_stack(case.stack)
        if case.levels_of_stations:
            # The same images alone, or beside other stations, are other objects.
            linked = ("levels_of_stations", case.levels_of_stations)
            context = replace(context, parameters=(*context.parameters, linked))
        try:
            written = []
            if case.nifti is not None or self._options.nifti:
                written += _write_nifti(done, folder)
            for kind in kinds_to_write(self._options.extras):
                if kind.sop_class_uid and case.nifti is not None:
                    continue
                path = folder / f"{case.key}{kind.suffix}"
                written += WRITERS[kind.name](done, context, path)
        except OSError as error:
            raise EncodingError(f"the result cannot be written: {error.strerror}") from error
        return replace(case, written=tuple(written))


def _write_semantic(done: Finished, context: ResultContext, path: Path) -> list[Path]:
    """Encode both maps at once: they share the headers of the source, read again."""
    case = done.case
    both = encode_segmentations(
        done.semantic,
        done.instances,
        done.volume,
        context,
        levels=case.levels,
        findings=() if case.quality is None else case.quality.sentences,
    )
    done.objects.update(zip((SEMANTIC.name, INSTANCES.name), both, strict=True))
    write_dataset(done.objects[SEMANTIC.name], path)
    return [path]


def _write_instances(done: Finished, _context: ResultContext, path: Path) -> list[Path]:
    write_dataset(done.objects[INSTANCES.name], path)
    return [path]


def _write_report(done: Finished, context: ResultContext, path: Path) -> list[Path]:
    """Write nothing where nothing could be measured."""
    report = encode_measurement_report(
        coded(done.case.measurements),
        (done.objects[SEMANTIC.name], done.objects[INSTANCES.name]),
        context,
        labels=[int(label) for label in np.unique(done.instances.labels_zyx) if label],
        levels=done.case.levels,
    )
    if report is None:
        return []
    write_dataset(report, path)
    return [path]


def _write_overlay(done: Finished, context: ResultContext, path: Path) -> list[Path]:
    from operators.imaging.overlay import overview_png  # noqa: PLC0415 - as for the scene

    path.write_bytes(overview_png(done.scene, done.case.key, context.notice))
    return [path]


def _write_measurements(done: Finished, _context: ResultContext, path: Path) -> list[Path]:
    case = done.case
    if case.nifti is not None:
        path = path.with_name(f"{spineps_stem(case.key)}{MEASUREMENTS.suffix}")
    path.write_text(csv_text(case.key, case.measurements), encoding="utf-8")
    return [path]


def _write_report_file(done: Finished, context: ResultContext, path: Path) -> list[Path]:
    path.write_bytes(_report_of(done, context))
    return [path]


def _write_pdf(done: Finished, context: ResultContext, path: Path) -> list[Path]:
    from operators.dicom.results.documents import encode_pdf  # noqa: PLC0415 - as for the scene
    from operators.report.page import TITLE  # noqa: PLC0415

    pdf = _report_of(done, context)
    write_dataset(encode_pdf(pdf, TITLE, done.objects[SEMANTIC.name], context), path)
    return [path]


def _write_preview(done: Finished, context: ResultContext, path: Path) -> list[Path]:
    from operators.dicom.results.documents import encode_preview  # noqa: PLC0415 - as for the scene
    from operators.imaging.overlay import overview  # noqa: PLC0415

    picture = np.asarray(overview(done.scene, done.case.key, context.notice))
    write_dataset(encode_preview(picture, done.objects[SEMANTIC.name], context), path)
    return [path]


def _report_of(done: Finished, context: ResultContext) -> bytes:
    """PDF of the report, made at the first call."""
    if REPORT_FILE.name not in done.documents:
        from operators.report.making import report_pdf  # noqa: PLC0415 - as for the scene

        header = done.objects.get(SEMANTIC.name)
        done.documents[REPORT_FILE.name] = report_pdf(done.case, done.scene, context, header)
    return done.documents[REPORT_FILE.name]


WRITERS: Final[dict[str, Callable[[Finished, ResultContext, Path], list[Path]]]] = {
    SEMANTIC.name: _write_semantic,
    INSTANCES.name: _write_instances,
    MEASUREMENT_REPORT.name: _write_report,
    OVERLAY.name: _write_overlay,
    MEASUREMENTS.name: _write_measurements,
    REPORT_FILE.name: _write_report_file,
    PDF.name: _write_pdf,
    PREVIEW.name: _write_preview,
}
"""Kind of result -> what writes it; called in the order of `KINDS`. Given the finished case, the
context of its stack and the path; gives the paths of what was written."""


def _write_nifti(done: Finished, folder: Path) -> list[Path]:
    """Write masks and centroids; of a NIfTI image on its own grid, under SPINEPS's names."""
    key, source = done.case.key, done.case.nifti
    likewise = tuple(f"{key}_{ending}" for ending in RESULT_ENDINGS)
    paths = [folder / name for name in (likewise if source is None else result_names(key))]
    spine, vertebrae, centroids = paths
    note = "" if source is None else source_note(source)
    for labels, path in ((done.semantic, spine), (done.instances, vertebrae)):
        write_label_map(labels, path, like=source, note=note)
    document = centroid_document(done.semantic, done.instances, levels=done.case.levels)
    centroids.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return paths

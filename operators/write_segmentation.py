"""Step 8: final masks -> files in the output folder, each written whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monai.deploy.core import Operator

from operators.anatomy.levels import texts_of
from operators.case import Case, Progress, advance
from operators.dicom.segmentation import encode_segmentations
from operators.dicom.whole_files import write_dataset
from operators.errors import EncodingError
from operators.imaging.nifti import write_label_map
from operators.imaging.result_files import (
    RESULT_ENDINGS,
    result_names,
    source_note,
    spineps_stem,
)
from operators.spine.centroids import centroid_document
from operators.spine.measurements.rows import csv_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from operators.dicom.provenance import ResultContext
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
    overlay : bool
        Also write a PNG per series.
    measurements : bool
        Also write a CSV of the measurements per series.
    nifti : bool
        Also write the masks and the centroids of a DICOM series as NIfTI and JSON.
    """

    folder: Path
    context: ResultContext
    overlay: bool
    measurements: bool = False
    nifti: bool = False


class WriteSegmentationOperator(Operator):
    """Receive ``cases``, write them, hand them to ``on_cases``."""

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
        self._progress = progress
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare the input ``cases``."""
        spec.input("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Write every case that has a result."""
        cases = op_input.receive("cases")
        self._on_cases(advance(cases, "write_segmentation", self._step, self._progress))

    def _step(self, case: Case) -> Case:
        volume, semantic, instances = case.volume, case.semantic, case.instances
        if volume is None or semantic is None or instances is None:
            raise EncodingError("there is no result to write")
        try:
            if case.nifti is None:
                written = self._write_dicom(case, volume, (semantic, instances))
            else:
                written = self._write_nifti(case, case.nifti, (semantic, instances))
            if self._options.overlay:
                # Not at the top: matplotlib costs a second that a run without pictures saves.
                from operators.imaging.overlay import render_overlay  # noqa: PLC0415

                picture = self._options.folder / f"{case.key}_overlay.png"
                render_overlay(
                    volume, semantic, instances, picture, case.key, levels=texts_of(case.levels)
                )
                written = (*written, picture)
            if self._options.measurements:
                stem = case.key if case.nifti is None else spineps_stem(case.key)
                table = self._options.folder / f"{stem}_measurements.csv"
                table.write_text(csv_text(case.key, case.measurements), encoding="utf-8")
                written = (*written, table)
        except OSError as error:
            raise EncodingError(f"the result cannot be written: {error.strerror}") from error
        return replace(case, written=written)

    def _write_dicom(
        self, case: Case, volume: Volume, masks: tuple[LabelMap, LabelMap]
    ) -> tuple[Path, ...]:
        names = (f"{case.key}_semantic.dcm", f"{case.key}_instances.dcm")
        paths = tuple(self._options.folder / name for name in names)
        context = self._options.context.of_stack(case.stack)
        datasets = encode_segmentations(*masks, volume, context, levels=case.levels)
        for dataset, path in zip(datasets, paths, strict=True):
            write_dataset(dataset, path)
        if not self._options.nifti:
            return paths
        likewise = tuple(f"{case.key}_{ending}" for ending in RESULT_ENDINGS)
        return (*paths, *self._write_masks(case, likewise, masks))

    def _write_nifti(
        self, case: Case, source: Path, masks: tuple[LabelMap, LabelMap]
    ) -> tuple[Path, ...]:
        return self._write_masks(case, result_names(case.key), masks, like=source)

    def _write_masks(
        self,
        case: Case,
        names: tuple[str, ...],
        masks: tuple[LabelMap, LabelMap],
        *,
        like: Path | None = None,
    ) -> tuple[Path, ...]:
        spine, vertebrae, centroids = (self._options.folder / name for name in names)
        note = "" if like is None else source_note(like)
        for labels, path in zip(masks, (spine, vertebrae), strict=True):
            write_label_map(labels, path, like=like, note=note)
        document = centroid_document(*masks, levels=case.levels)
        centroids.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        return spine, vertebrae, centroids

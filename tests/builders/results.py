"""Volumes with sources, label maps and contexts, as the writer of results receives them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pydicom

from operators.dicom.identity.provenance import IntendedUse, ModelIdentity, ResultContext
from operators.imaging.volume import LabelMap, SliceSource, Volume

if TYPE_CHECKING:
    from tests.builders.mr_series import MadeSeries

SEMANTIC_LABELS = (49, 100, 52, 53, 62, 26, 61, 60, 41, 42, 43, 44, 45, 46, 47, 48)
INSTANCE_LABELS = (2, 3, 4, 26, 102, 103, 104, 202, 203, 204, 226)

USE = IntendedUse(statement="For planning in this hospital", responsible="Dr. Ada Example")

CONTEXT = ResultContext(
    semantic_model=ModelIdentity("t2w_bundled", "1.0.0", "a1" * 32),
    instance_model=ModelIdentity("instance_bundled", "1.0.0", "b2" * 32),
    clock=datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=UTC),
    software_version="0.1.0",
    parameters=(("corpus_size_cleaning_mm3", "100"),),
)


def context(**changes: object) -> ResultContext:
    return replace(CONTEXT, **changes)


def volume_of(made: MadeSeries) -> Volume:
    """The series as assembly gives it, found by position along the normal."""
    start, step = made.affine_lps[:3, 3], made.affine_lps[:3, 0]
    sources: dict[int, SliceSource] = {}
    for path in made.paths:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        identity = (path, header.SOPClassUID, header.SOPInstanceUID)
        if "PerFrameFunctionalGroupsSequence" in header:
            places = [
                (group.PlanePositionSequence[0].ImagePositionPatient, number)
                for number, group in enumerate(header.PerFrameFunctionalGroupsSequence, 1)
            ]
        else:
            places = [(header.ImagePositionPatient, None)]
        for place, number in places:
            along = (np.array(place, float) - start) @ step / (step @ step)
            sources.setdefault(round(along), SliceSource(*identity, frame_number=number))
    ordered = tuple(source for _, source in sorted(sources.items()))
    return Volume(made.voxels_zyx, made.affine_lps, ordered)


def label_map(volume: Volume, labels: tuple[int, ...]) -> LabelMap:
    """One block per label; each has its own size and no two slices or rows look alike."""
    slices, rows, columns = volume.voxels_zyx.shape
    array = np.zeros(volume.voxels_zyx.shape, dtype=np.uint8)
    for n, label in enumerate(labels):
        j, i = divmod(n, 4)
        top, left = 1 + j * (rows - 2) // 5, 1 + i * (columns - 2) // 4
        first = n % 3
        array[first : slices - (n % 4), top : top + 2 + n % 5, left : left + 2 + n % 4] = label
    array[slices // 2, 0, :3] = labels[0]
    return LabelMap(array, volume.affine_lps)


def label_maps(volume: Volume) -> tuple[LabelMap, LabelMap]:
    return label_map(volume, SEMANTIC_LABELS), label_map(volume, INSTANCE_LABELS)

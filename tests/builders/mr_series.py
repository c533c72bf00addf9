"""Small but real MR series on disk, with the truth that an assembler must find.

One generator for everybody: a sagittal, slightly oblique T2w lumbar series of 12 slices of 40 x 32
voxels by default; every odd habit of the world is one option of `SeriesOptions`. The phantom
differs along every axis and end, so that a flip, a transpose or a wrong slice order changes its
values.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.uid import MRImageStorage

from tests.builders.mr_datasets import classic, multiframe
from tests.builders.mr_encoding import GDCM_ENCODED, NATIVE, PYDICOM_ENCODED, save
from tests.builders.mr_phantom import (
    OBLIQUE_SAGITTAL,
    SAGITTAL,
    SeriesOptions,
    planes_of,
    true_affine,
    true_values,
    turned,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MadeSeries:
    """What was written, and what reading it must give."""

    paths: tuple[Path, ...]
    """Files in slice order (one for a multi-frame object), whatever their names."""
    voxels_zyx: NDArray[np.float32]
    """True intensities after rescale (first echo, first time), slices along the normal."""
    affine_lps: NDArray[np.float64]
    sop_instance_uids: tuple[str, ...]
    series_uid: str
    study_uid: str


def make_series(folder: Path, **changes: object) -> MadeSeries:
    """Write one series into `folder` (made if absent); options as in `SeriesOptions`."""
    options = SeriesOptions(**changes)
    folder.mkdir(parents=True, exist_ok=True)
    planes = planes_of(options)
    shuffled = list(planes)
    names = [f"IM{number:04d}.dcm" for number in range(len(planes))]
    if options.shuffle_seed is not None:
        generator = random.Random(options.shuffle_seed)  # noqa: S311 -- an order, no secret
        generator.shuffle(shuffled)
        generator.shuffle(names)
    if options.sop_class == MRImageStorage:
        datasets = [classic(options, plane) for plane in planes]
    else:
        datasets = [multiframe(options, shuffled)]
    paths = tuple(folder / name for name, _ in zip(names, datasets, strict=False))
    for path, dataset in zip(paths, datasets, strict=True):
        save(dataset, path, options.transfer_syntax)
    return MadeSeries(
        paths=paths,
        voxels_zyx=true_values(options),
        affine_lps=true_affine(options),
        sop_instance_uids=tuple(str(dataset.get("SOPInstanceUID", "")) for dataset in datasets),
        series_uid=str(datasets[0].get("SeriesInstanceUID", "")),
        study_uid=str(datasets[0].get("StudyInstanceUID", "")),
    )


__all__ = [
    "GDCM_ENCODED",
    "NATIVE",
    "OBLIQUE_SAGITTAL",
    "PYDICOM_ENCODED",
    "SAGITTAL",
    "MadeSeries",
    "SeriesOptions",
    "make_series",
    "turned",
]

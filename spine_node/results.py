"""What a segmentation gives back: arrays on the image's grid, and what the numbers in them mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from app.run.record import entry_of
from operators.anatomy.codes import STRUCTURES
from operators.anatomy.levels import texts_of
from operators.anatomy.vertebrae import ordinal_text
from operators.errors import SegmentationError
from operators.imaging.nifti import ras_of
from operators.imaging.nifti_array import array_ijk
from operators.spine.centroids import CORPUS_POINT, centroid_document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.run.record import SeriesRecordEntry
    from operators.case import Case
    from operators.errors import SpineError


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """Masks of one image, and what was found.

    All arrays have the image's shape (I, J, K); ``affine`` places them all.

    Attributes
    ----------
    image : (I, J, K) ndarray of float32
        The intensities that were segmented.
    affine : (4, 4) ndarray of float64
        Index (i, j, k, 1) to the voxel centre in mm, RAS, as in ``nibabel``.
    semantic : (I, J, K) ndarray of uint16
        Structure of every voxel, named in ``structures``; 0 is background.
    instances : (I, J, K) ndarray of uint16
        Vertebra X, its disc 100 + X, its endplates 200 + X, the sacrum 26; named in ``names``.
    structures, names : dict of int to str
        What the labels that occur in ``semantic`` and in ``instances`` stand for. A vertebra's
        number is no anatomical level, see ``record.numbering``.
    centroids : dict of int to (float, float, float)
        Centre of every vertebral body and of the sacrum as an index (i, j, k), head to foot.
    record : SeriesRecordEntry
        The same entry as in the record of ``spine-node run``: volumes, confidence, agreement of
        the folds, facts.
    models : dict of str to dict
        Name, version and digest of the model of either phase, ``semantic`` and ``instance``.
    notice : str
        What the result may be used for.
    """

    image: NDArray[np.float32]
    affine: NDArray[np.float64]
    semantic: NDArray[np.uint16]
    instances: NDArray[np.uint16]
    structures: dict[int, str]
    names: dict[int, str]
    centroids: dict[int, tuple[float, float, float]]
    record: SeriesRecordEntry
    models: dict[str, dict[str, str]]
    notice: str

    @property
    def vertebrae(self) -> tuple[int, ...]:
        """Numbers of the vertebrae in ``instances``, head to foot."""
        return self.record.vertebra_numbers

    @property
    def volumes_ml(self) -> dict[str, float]:
        """Volume of every structure in millilitres, by lower-case name."""
        return self.record.volumes_ml

    @property
    def confidence(self) -> dict[str, dict[str, float]]:
        """Mean probability, 0 to 1, of what the network decided: per structure, per vertebra."""
        return self.record.confidence

    @property
    def flags(self) -> tuple[str, ...]:
        """What a person should look at or know, such as ``low_confidence: disc``."""
        quality = self.record.quality
        findings = () if quality is None else quality.findings
        found = [f"{finding.rule}: {place}" for finding in findings for place in finding.places]
        return (*found, *self.record.facts)

    @property
    def centroids_mm(self) -> dict[int, tuple[float, float, float]]:
        """The centroids in mm, RAS."""
        placed = {}
        for label, index in self.centroids.items():
            x, y, z = (self.affine @ (*index, 1.0))[:3].tolist()
            placed[label] = (x, y, z)
        return placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What became of a DICOM folder.

    Attributes
    ----------
    series : tuple of Segmentation
        One per stack that was segmented; most series hold one stack. ``record.key`` names it.
    failures : dict of str to SpineError
        Series that were worth segmenting and could not be, by their key.
    decisions : tuple of dict
        Every series of the folder, whether it was taken, and the reasons.
    passed_over : dict of str to int
        How many files and links were not read, by reason.
    """

    series: tuple[Segmentation, ...]
    failures: dict[str, SpineError]
    decisions: tuple[dict[str, Any], ...]
    passed_over: dict[str, int]


def result_of(case: Case, models: dict[str, dict[str, str]], notice: str) -> Segmentation:
    """Turn a finished case into arrays.

    Parameters
    ----------
    case : Case
        After the last step that computes.
    models : dict
        Of `Segmentation`.
    notice : str
        Of `Segmentation`.

    Raises
    ------
    SegmentationError
        If the case is not finished.
    """
    volume, semantic, instances = case.volume, case.semantic, case.instances
    if volume is None or semantic is None or instances is None:
        raise SegmentationError("the graph ended without masks")
    entry = entry_of(case)
    points = centroid_document(semantic, instances)[1]
    return Segmentation(
        image=array_ijk(volume).astype(np.float32, copy=False),
        affine=ras_of(volume.affine_lps),
        semantic=array_ijk(semantic).astype(np.uint16),
        instances=array_ijk(instances).astype(np.uint16),
        structures={n: STRUCTURES[n].name for n in _labels(semantic.labels_zyx)},
        names={
            n: ordinal_text(n, entry.vertebra_numbers, texts_of(case.levels))
            for n in _labels(instances.labels_zyx)
        },
        centroids={
            int(label): tuple(point[CORPUS_POINT])
            for label, point in points.items()
            if CORPUS_POINT in point
        },
        record=entry,
        models=models,
        notice=notice,
    )


def _labels(array: NDArray[np.unsignedinteger]) -> list[int]:
    return [int(label) for label in np.unique(array) if label]

"""One synthetic patient in three stations, and networks that answer with the truth of each.

The stations are DICOM series as a scanner's; the truth lies beside them as arrays, so that a
process of its own can answer from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pydicom

from app.research.synthetic.dicom_series import STUDY_PHANTOM, StudyOptions, write_study
from operators.anatomy.labels import VERTEBRA_INSTANCES
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import LabelMap
from tests.builders.spine_phantom import Spine, TruthPredictor
from tests.builders.stub_models import StubResult, config_of, stub_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pydicom.dataset import Dataset

    from app.run.models import ModelBundle
    from operators.imaging.volume import Grid, Volume
    from operators.networks.inference_config import InferenceConfig
    from operators.spine.instance_merging import Triple

STATIONS = ("cervical", "thoracic", "lumbar")
USUAL_SEED = 970_200
"""Of a person with twelve thoracic and five lumbar vertebrae."""

PIXEL_MM = 1.2
_FIELD_MM = 270.0, 216.0
_AS_BUNDLED = {
    "resolution_range": ((1.0, 1.0, 2.2), (1.0, 1.0, 2.2)),
    "corpus_size_cleaning": 19,
    "vert_size_threshold": 107,
}
"""Grid of phase 2: that of the other stand-ins is too coarse for a neck."""

_IDENTIFIERS = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
)


def write_patient(
    folder: Path, seed: int = USUAL_SEED, *, pixel_mm: float = PIXEL_MM
) -> dict[str, tuple[Path, ...]]:
    """Write a study of three stations into ``dicom``, what they truly show into ``truth``.

    Returns the files of each station, head to foot.
    """
    rows, columns = (round(length / pixel_mm) for length in _FIELD_MM)
    phantom = replace(STUDY_PHANTOM, in_plane=(rows, columns), spacing=(4.4, pixel_mm, pixel_mm))
    options = StudyOptions(phantom=phantom, stations=STATIONS[:2])
    study = write_study(folder / "dicom", seed, options=options)
    truth = folder / "truth"
    truth.mkdir(parents=True, exist_ok=True)
    of_series: dict[str, list[Path]] = {}
    for path in study.files:
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID)
        of_series.setdefault(uid, []).append(path)
    stations = {station.name: station for station in (*study.stations, study.lumbar)}
    for name, station in stations.items():
        np.savez_compressed(
            truth / f"{name}.npz",
            semantic=station.semantic.labels_zyx,
            instances=station.instances.labels_zyx,
            affine=station.semantic.affine_lps,
        )
    return {name: tuple(sorted(of_series[stations[name].uid])) for name in STATIONS}


def as_patient(paths: Sequence[Path], number: int) -> list[Dataset]:
    """Read a series as that of another patient: the same images under other identifiers."""
    datasets = [pydicom.dcmread(path) for path in paths]
    for dataset in datasets:
        for keyword in _IDENTIFIERS:
            setattr(dataset, keyword, f"{dataset[keyword].value}.{number}")
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.ImagesInAcquisition = len(datasets)
    return datasets


def read_truth(folder: Path) -> tuple[Spine, ...]:
    """Truth of every station, PIR."""
    spines = []
    for path in sorted(folder.glob("*.npz")):
        kept = np.load(path)
        maps = (LabelMap(kept[name], kept["affine"]) for name in ("semantic", "instances"))
        spines.append(Spine(*(reorient(each, ("P", "I", "R")) for each in maps)))
    return tuple(spines)


def true_bundle(stations: tuple[Spine, ...]) -> ModelBundle:
    """Both networks; they tell the stations apart by where an image lies."""
    return replace(
        stub_bundle(),
        semantic=TrueSemanticModel(stations),
        instance=TrueInstanceModel(stations),
    )


@dataclass
class TrueSemanticModel:
    """Answers with the true parts, C1's too."""

    stations: tuple[Spine, ...]
    profile: str = "stub"
    config: InferenceConfig = field(
        default_factory=lambda: replace(config_of("semantic"), has_c1=True)
    )

    def segment(
        self,
        volume: Volume,
        progress: Callable[[int, int], None] | None = None,
        *,
        needs_body: bool = False,
    ) -> StubResult:
        turned = reorient(volume, ("P", "I", "R"))
        truth = _nearest(self.stations, turned.grid)
        if progress is not None:
            progress(1, 1)
        return StubResult(resample_labels_to_grid(truth.semantic, turned.grid))


@dataclass
class TrueInstanceModel:
    """Answers with the true vertebrae."""

    stations: tuple[Spine, ...]
    profile: str = "stub"
    config: InferenceConfig = field(
        default_factory=lambda: replace(config_of("instance"), **_AS_BUNDLED)
    )

    def predict(
        self,
        labels: LabelMap,
        centres_zyx: Sequence[tuple[float, float, float]],
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Triple]:
        owners = _nearest(self.stations, labels.grid).instances
        is_vertebra = np.isin(owners.labels_zyx, list(VERTEBRA_INSTANCES))
        truth = owners.with_labels(np.where(is_vertebra, owners.labels_zyx, 0))
        return TruthPredictor(truth).predict(labels, centres_zyx, progress)


def _nearest(stations: tuple[Spine, ...], grid: Grid) -> Spine:
    """The station whose middle is nearest to that of an image."""
    middle = _middle(grid)
    return min(stations, key=lambda s: float(np.linalg.norm(_middle(s.semantic.grid) - middle)))


def _middle(grid: Grid) -> np.ndarray:
    return grid.affine_lps[:3, :3] @ ((np.array(grid.shape_zyx) - 1) / 2) + grid.affine_lps[:3, 3]

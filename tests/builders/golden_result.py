"""The golden result: from stand-in logits to both objects, and one digest of all of it.

Everything is whole numbers and powers of two, NumPy without a network, so that it is the same on
every processor. The digest covers every voxel and every attribute; what only names a library's
version, and UIDs that follow from `RESULT_VERSION`, count as placeholders.

Where it changes on purpose: raise ``identity.provenance.RESULT_VERSION`` (once between two
releases) and write down what this prints::

    python -m tests.builders.golden_result
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from operators.anatomy.levels import LevelName
from operators.dicom.identity.provenance import (
    RESULT_VERSION,
    ModelIdentity,
    Predecessor,
    ResultContext,
)
from operators.dicom.identity.uids import digest
from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import scan
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.measurement_report import encode_measurement_report
from operators.dicom.results.segmentation import encode_segmentations
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import LabelMap, Volume
from operators.spine.bodiless import without_bodiless
from operators.spine.instance_phase import InstanceSettings, segment_vertebrae
from operators.spine.levels.names import name_levels
from operators.spine.measurements.codes import coded
from operators.spine.measurements.definitions import MEASURES
from operators.spine.measurements.measure import Measurement
from operators.spine.postprocessing import PostprocessSettings, postprocess
from operators.spine.semantic_cleanup import clean_semantic
from tests.builders.mr_series import SAGITTAL, make_series
from tests.builders.spine_phantom import Spine, TruthPredictor, spine_of

CONTEXT = ResultContext(
    semantic_model=ModelIdentity("golden_semantic", "1", "a1" * 32),
    instance_model=ModelIdentity("golden_instance", "1", "b2" * 32),
    clock=datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=UTC),
    software_version="golden",
    predecessors=(
        Predecessor(kind="semantic", study_uid="1.2", series_uid="1.2.3", sop_instance_uid="1.4"),
        Predecessor(kind="instances", study_uid="1.2", series_uid="1.2.5", sop_instance_uid="1.6"),
    ),
)
LABELS = np.array([0, 41, 42, 43, 44, 45, 46, 47, 48, 49, 60, 61, 62, 100, 26], np.uint8)
_OURS = "2.25."
_LIBRARY = "Highdicom open-source contributors"
_VERSIONS = {"SoftwareVersions", "ImplementationVersionName", "ContributionDescription"}


def golden_digest() -> str:
    """Digest of the voxels and attributes of both objects."""
    with tempfile.TemporaryDirectory() as folder:
        objects = golden_objects(Path(folder))
    return digest(line for one in objects for line in lines_of(one))


def golden_objects(folder: Path) -> list[Dataset]:
    """Both objects as they are read from their files."""
    image = source(folder / "mr")
    maps = golden_maps(image)
    objects = encode_segmentations(*maps, image, CONTEXT, levels=name_levels(*maps))
    paths = [folder / f"{number}.dcm" for number in range(len(objects))]
    for one, path in zip(objects, paths, strict=True):
        write_dataset(one, path)
    return [dcmread(path, defer_size=None) for path in paths]


def golden_report(folder: Path) -> Dataset:
    """Report beside the golden objects, of values that were not measured: those are decimals."""
    image = source(folder / "mr")
    maps = golden_maps(image)
    levels = {2: LevelName(22, 1.0), 3: LevelName(23, 0.7, ("sizes",))}
    objects = encode_segmentations(*maps, image, CONTEXT, levels=levels)
    places = {"disc": 102, "spine": 0}
    values = [
        Measurement(instance=places.get(about.structure, 2 + n % 2), level="", measure=key, value=n)
        for n, (key, about) in enumerate(MEASURES.items())
    ]
    labels = [int(label) for label in np.unique(maps[1].labels_zyx) if label]
    report = encode_measurement_report(
        coded(values), objects, CONTEXT, labels=labels, levels=levels
    )
    assert report is not None
    write_dataset(report, folder / "report.dcm")
    return dcmread(folder / "report.dcm")


def source(folder: Path) -> Volume:
    """16 sagittal slices, 2 mm apart, 1 mm in plane, from their files."""
    make_series(
        folder,
        slices=16,
        rows=144,
        columns=57,
        pixel_spacing=(1.0, 1.0),
        slice_distance_mm=2.0,
        orientation=SAGITTAL,
        origin=(16.0, -32.0, 64.0),
        tags={"SliceThickness": 2.0, "SpacingBetweenSlices": 2.0},
    )
    return assemble(scan(folder).series[0])


def golden_maps(image: Volume) -> tuple[LabelMap, LabelMap]:
    """Final semantic and instance map on the grid of the image, from stand-in logits on."""
    truth = placed(spine_of(5, sacrum=True), image)
    found = clean_semantic(truth.semantic.with_labels(decided(logits_of(truth.parts))))
    settings = InstanceSettings(spacing_zyx_mm=(1.0, 1.0, 1.0))
    told_apart = segment_vertebrae(found, TruthPredictor(truth.instances), settings).instances
    structures = resample_labels_to_grid(found, image.grid)
    vertebrae, _ = without_bodiless(structures, resample_labels_to_grid(told_apart, image.grid))
    result = postprocess(structures, vertebrae, PostprocessSettings())
    return result.semantic, result.instances


def placed(spine: Spine, image: Volume) -> Spine:
    """1 mm in each direction; every second slice lies on a slice of the image."""
    affine = image.affine_lps @ np.diag([0.5, 1.0, 1.0, 1.0])
    return Spine(
        semantic=replace(spine.semantic, affine_lps=affine),
        instances=replace(spine.instances, affine_lps=affine),
    )


def logits_of(parts: np.ndarray) -> np.ndarray:
    """(Z, Y, X, heads) whole numbers: 9 for the truth, plus 0 to 10 of ordered disorder.

    Where the disorder says 0 for the truth and 10 for another head, the other one wins.
    """
    z, y, x, head = np.indices((*parts.shape, LABELS.size))
    disorder = (z * 7919 + y * 104_729 + x * 1_299_709 + head * head * 15_485_863 + z * y * x) % 11
    return 9 * (parts[..., None] == LABELS) + disorder


def decided(logits: np.ndarray) -> np.ndarray:
    """Label of the best head, ties to the first one."""
    return LABELS[logits.argmax(axis=-1)]


def lines_of(dataset: Dataset) -> Iterator[str]:
    """Every attribute of a dataset, in order, as text; pixels as values."""
    names: dict[str, str] = {}
    yield str(dataset.file_meta.TransferSyntaxUID)
    if "PixelData" in dataset:
        yield digest([np.ascontiguousarray(dataset.pixel_array).tobytes()])
    yield from _lines("", dataset, names)


def _lines(place: str, dataset: Dataset, names: dict[str, str]) -> Iterator[str]:
    is_library = dataset.get("Manufacturer") == _LIBRARY
    for element in dataset:
        name = f"{place}{element.tag} {element.VR}"
        if element.keyword == "PixelData" or (is_library and element.keyword in _VERSIONS):
            yield name
        elif element.VR == "SQ":
            yield f"{name} {len(element.value)}"
            for number, item in enumerate(element.value):
                yield from _lines(f"{name}[{number}] ", item, names)
        elif element.VR == "UI" and str(element.value).startswith(_OURS):
            value = names.setdefault(str(element.value), f"uid {len(names)}")
            yield f"{name} {value}"
        else:
            yield f"{name} {element.value}"


if __name__ == "__main__":
    sys.stdout.write(f'GOLDEN = ("{RESULT_VERSION}", "{golden_digest()}")\n')
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(f'GOLDEN_REPORT = "{digest(lines_of(golden_report(Path(place))))}"\n')

"""Synthetic patients as a dataset: DICOM studies, NIfTI images, and their truth in both forms.

The layout is BIDS: what `train --dataset`, `evaluate --reference` and foreign tools read::

    sub-0001/dicom/...                                      the study as a scanner sends it
    sub-0001/anat/sub-0001_T2w.nii.gz                       its lumbar T2w series
    sub-0001/anat/sub-0001_T2w.json                         seed and options of the patient
    derivatives/sub-0001/anat/sub-0001_mod-T2w_seg-spine_msk.nii.gz    structures
    derivatives/sub-0001/anat/sub-0001_mod-T2w_seg-vert_msk.nii.gz     instances
    sub-0001/seg/sub-0001_semantic.dcm, sub-0001_instances.dcm         the same as DICOM SEG

Further stations of a whole spine are chunks in BIDS (``sub-0001_chunk-2_T2w.nii.gz`` and so on),
with the same files each. A patient is never written over another one: the leftovers of two studies
in one folder would be one study to whoever reads it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from app import __version__
from app.errors import OutputUnwritableError
from app.research.synthetic.devices import require_device
from app.research.synthetic.dicom_series import write_study
from app.research.synthetic.phantom import GENERATOR_VERSION
from operators.dicom.identity.provenance import ModelIdentity, ResultContext
from operators.dicom.identity.result_kinds import INSTANCES, SEMANTIC
from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import scan
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.segmentation import encode_segmentations
from operators.errors import EncodingError
from operators.imaging.nifti import write_label_map, write_volume
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import Grid

if TYPE_CHECKING:
    from pathlib import Path

    from app.research.synthetic.dicom_series import AnnotatedSeries, StudyOptions, WrittenStudy

TRUTH_TIME: Final = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)
"""A fixed clock: the same seed writes the same bytes."""


_BIDS_VERSION: Final = "1.8.0"


def write_subject(output: Path, number: int, seed: int, options: StudyOptions) -> WrittenStudy:
    """Write one synthetic patient.

    Parameters
    ----------
    output : Path
        Folder of the dataset; created if needed.
    number : int
        Of the subject, 1 to 9999.
    seed : int
        Decides everything about the patient.
    options : StudyOptions
        What the study holds.

    Returns
    -------
    WrittenStudy
        DICOM files and truth.

    Raises
    ------
    ConfigurationError
        ``no_such_device`` if the options' device cannot be used here.
    OutputUnwritableError
        If the folder cannot be written, or holds another patient under this number
        (``other_subject``).
    """
    require_device(options.device)
    try:
        _begin(output, f"sub-{number:04d}", seed, options)
        return _write(output, f"sub-{number:04d}", seed, options)
    except OSError as error:
        raise OutputUnwritableError(f"the data set cannot be written: {error.strerror}") from error


def _begin(output: Path, name: str, seed: int, options: StudyOptions) -> None:
    """Write what tells this patient from others, before anything else; refuse another one's."""
    home = output / name
    sidecar = home / "anat" / f"{name}_T2w.json"
    patient = _json(
        {
            "Manufacturer": "Synthetic",
            "Seed": seed,
            "GeneratorVersion": GENERATOR_VERSION,
            "Stations": ["lumbar", *options.stations],
            "Enhanced": options.is_enhanced,
        }
    )
    is_same = sidecar.is_file() and sidecar.read_text(encoding="utf-8") == patient
    if home.exists() and any(home.iterdir()) and not is_same:
        raise OutputUnwritableError(
            f"{name} is in the folder already, with another seed, options or generator; take "
            "another --output",
            reasons=("other_subject",),
        )
    sidecar.parent.mkdir(parents=True, exist_ok=True)
    sidecar.write_text(patient, encoding="utf-8")
    for folder, kind in ((output, "raw"), (output / "derivatives", "derivative")):
        folder.mkdir(exist_ok=True)
        about = {
            "Name": "Synthetic spines",
            "BIDSVersion": _BIDS_VERSION,
            "DatasetType": kind,
            "GeneratedBy": [{"Name": "SPINEPS Node", "Version": __version__}],
        }
        (folder / "dataset_description.json").write_text(_json(about), encoding="utf-8")


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1) + "\n"


def _write(output: Path, name: str, seed: int, options: StudyOptions) -> WrittenStudy:
    dicom, anat, seg = (output / name / part for part in ("dicom", "anat", "seg"))
    masks = output / "derivatives" / name / "anat"
    study = write_study(dicom, seed, options=options)
    for folder in (anat, seg, masks):
        folder.mkdir(parents=True, exist_ok=True)
    for number_of_field, series in enumerate((study.lumbar, *study.stations), start=1):
        stem = name if number_of_field == 1 else f"{name}_chunk-{number_of_field}"
        write_volume(series.image, anat / f"{stem}_T2w.nii.gz")
        write_label_map(series.semantic, masks / f"{stem}_mod-T2w_seg-spine_msk.nii.gz")
        write_label_map(series.instances, masks / f"{stem}_mod-T2w_seg-vert_msk.nii.gz")
        _write_truth_objects(series, dicom, seg / stem)
    return study


def _write_truth_objects(truth: AnnotatedSeries, dicom: Path, stem: Path) -> None:
    """Truth as SEG objects that point at the T2w series."""
    (series,) = (record for record in scan(dicom).series if record.series_uid == truth.uid)
    source = assemble(series)
    context = ResultContext(
        semantic_model=ModelIdentity("synthetic truth", __version__, "-"),
        instance_model=ModelIdentity("synthetic truth", __version__, "-"),
        clock=TRUTH_TIME,
        software_version=__version__,
        numeric_profile="exact",
    )
    grid = Grid(source.voxels_zyx.shape, source.affine_lps)
    semantic = resample_labels_to_grid(truth.semantic, grid)
    instances = resample_labels_to_grid(truth.instances, grid)
    try:
        objects = encode_segmentations(semantic, instances, source, context)
    except EncodingError as error:
        if "empty_label_map" in error.reasons:
            return  # a patient without a spine in the field has no truth to point at
        raise
    for dataset, kind in zip(objects, (SEMANTIC, INSTANCES), strict=True):
        write_dataset(dataset, stem.with_name(f"{stem.name}{kind.suffix}"))

"""JSON beside a mask, and what describes the whole folder (BIDS derivatives)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from app import __version__
from app.cohort.colour_tables import (
    LEVELS_TABLE,
    NUMBERS_TABLE,
    STRUCTURES_TABLE,
    colour_tables,
)
from app.cohort.folder import STATE, write_whole
from operators.anatomy.levels import ANATOMICAL
from operators.dicom.identity.provenance import RESEARCH_NOTICE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from app.cohort.cases import Source
    from app.cohort.folder import CohortFolder

_BIDS_VERSION: Final = "1.10.0"
_MASKS: Final = {
    "_seg-spine_msk.nii.gz": ("Structures of the spine", STRUCTURES_TABLE),
    "_seg-vert_msk.nii.gz": ("Vertebra X, its disc 100 + X, its endplates 200 + X", NUMBERS_TABLE),
}
_IGNORED: Final = (
    f"{STATE}/",
    "*.ctbl",
    "*_itksnap.txt",
    "cohort.csv",
    "measurements.csv",
    "report.html",
    "**/*_cohort.json",
    "**/*_ctd.json",
    "**/*_msk.*",
    "**/*_measurements.csv",
    "**/*_overlay.png",
    "**/*_report.pdf",
    "**/*.dcm",
)
"""What the BIDS validator has no names for, most of all SPINEPS's own names of masks."""


def sidecar_of(
    file: str, source: Source, record: Mapping[str, Any], entry: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Make the JSON beside a mask.

    Parameters
    ----------
    file : str
        Published name of a result.
    source : Source
        What it was made from.
    record : mapping
        Of the run.
    entry : mapping
        Of the series.

    Returns
    -------
    (str, str) or None
        Name and content; None for what is no mask.
    """
    for ending, (description, table) in _MASKS.items():
        if file.endswith(ending):
            is_named = table == NUMBERS_TABLE and entry["numbering"] == ANATOMICAL
            names = LEVELS_TABLE if is_named else table
            document = {
                "Description": description,
                "Sources": [f"bids:raw:{source.name}"],
                "LookupTable": [f"{names}.ctbl", f"{names}_itksnap.txt"],
                "SoftwareVersion": __version__,
                "Models": record["models"],
                "NumericProfile": record["profile"],
                "Series": entry["key"],
                "SeriesInstanceUID": source.series_uid(entry["key"]),
                "Stack": entry["stack"],
                "Numbering": entry["numbering"],
                "Levels": entry["levels"],
                "Confidence": entry["confidence"],
                "Agreement": entry["agreement"],
                "VolumesMl": entry["volumes_ml"],
                "Quality": entry["quality"],
                "Facts": entry["facts"],
                "Notice": record["notice"],
            }
            return file.removesuffix(".nii.gz") + ".json", as_text(document)
    return None


def as_text(document: Mapping[str, Any]) -> str:
    """JSON for a file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def describe_folder(folder: CohortFolder, root: Path) -> None:
    """Write ``dataset_description.json``, ``.bidsignore`` and the colour tables.

    Parameters
    ----------
    folder : CohortFolder
        Output.
    root : Path
        Of the data set.
    """
    description = {
        "Name": "SPINEPS Node: spine segmentation",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {"Name": "SPINEPS Node", "Version": __version__, "Description": RESEARCH_NOTICE}
        ],
        "SourceDatasets": [{"URL": os.path.relpath(root, folder.output)}],
        "DatasetLinks": {"raw": os.path.relpath(root, folder.output)},
    }
    write_whole(folder.output / "dataset_description.json", as_text(description))
    write_whole(folder.output / ".bidsignore", "\n".join(_IGNORED) + "\n")
    for name, content in colour_tables().items():
        write_whole(folder.output / name, content)

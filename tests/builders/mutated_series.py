"""Series of which a header is damaged or carelessly written, and whether they were read right."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from operators.dicom.reading.assembly import assemble, header_findings
from operators.dicom.reading.series import scan
from operators.dicom.results.source_headers import read_source_headers
from operators.dicom.selection.series_selection import decide
from operators.errors import InputRejectedError
from tests.builders.mr_series import make_series
from tests.builders.mutations import mutate
from tests.builders.sloppy_elements import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from operators.dicom.reading.series import SeriesRecord
    from operators.imaging.volume import Volume
    from tests.builders.mr_series import MadeSeries

_DECIDING = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "EchoTime",
    "RepetitionTime",
    "EchoTrainLength",
    "RescaleSlope",
    "RescaleIntercept",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SamplesPerPixel",
    "PixelPaddingValue",
)

_SLOPPY: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("DS", lambda text: text.replace(b".", b",")),
    ("DS", lambda text: text + b"\\"),
    ("DS", lambda text: b" " + text + b"\0"),
    ("DS", lambda text: text.rpartition(b"\\")[0]),
    ("DS", lambda text: text.replace(b"\\", b"\\\\", 1)),
    ("DS", lambda text: text + b"0000000000000000000"),
    ("DS", lambda text: text.replace(b"0", b"O")),
    ("DS", lambda text: text + b" mm"),
    ("DS", lambda _: b""),
    ("DS", lambda _: b"nan"),
    ("DS", lambda _: b"unknown"),
    ("UT", lambda text: text),
    ("UN", lambda text: text),
    ("FD", lambda text: text),
    ("US", lambda text: text),
    ("SQ", lambda text: text),
)
"""VR and text of a careless writer: the value stays what it was, or is gone."""


_NEEDLESS = (
    *(
        f"{event}{what}"
        for event in ("Series", "Acquisition", "Content")
        for what in ("Date", "Time")
    ),
    *("AccessionNumber", "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber"),
    *("SoftwareVersions", "InstitutionName", "ReferringPhysicianName", "StudyDescription"),
    *("SeriesDescription", "ProtocolName", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("BodyPartExamined", "MagneticFieldStrength", "StudyID", "PositionReferenceIndicator"),
    *("PatientPosition", "ScanOptions", "FlipAngle", "NumberOfAverages", "ImagedNucleus"),
    *("ImagingFrequency", "PixelBandwidth", "Laterality", "SliceLocation"),
)
"""Left out for speed: nothing decides on them."""

_TOLERANCE_MM = 1e-3


@dataclass(frozen=True, slots=True)
class Outcome:
    """Reasons of a refusal, none for a volume; and what is wrong with the outcome, if anything."""

    refused: tuple[str, ...]
    complaint: str


@dataclass(frozen=True, slots=True)
class Original:
    """A good series: its files, and what reading them gives."""

    made: MadeSeries
    contents: tuple[bytes, ...]

    @classmethod
    def written_to(cls, folder: Path) -> Original:
        """11 slices of 8 x 10 voxels with the attributes on which something depends."""
        options = {"slices": 11, "rows": 8, "columns": 10, "shuffle_seed": None}
        made = make_series(folder, tags=dict.fromkeys(_NEEDLESS), **options)
        return cls(made, tuple(path.read_bytes() for path in made.paths))

    def damage(self, seed: int) -> None:
        """Write the files with the damage that follows from the seed."""
        rng = np.random.default_rng(seed)
        files = list(self.contents)
        if seed % 3 == 0:
            one = int(rng.integers(len(files)))
            files[one] = mutate(files[one], seed // 3)
        elif seed % 3 == 1:
            one = int(rng.integers(len(files)))
            files[one] = _edited(files[one], lambda dataset: _change_a_character(dataset, rng))
        else:
            keyword = _DECIDING[int(rng.integers(len(_DECIDING)))]
            vr, change = _SLOPPY[int(rng.integers(len(_SLOPPY)))]
            chosen = [int(rng.integers(len(files)))] if rng.random() < 0.5 else range(len(files))
            for one in chosen:
                files[one] = _edited(
                    files[one], lambda dataset: _rewrite(dataset, keyword, vr, change)
                )
        for path, content in zip(self.made.paths, files, strict=True):
            path.write_bytes(content)

    def outcomes(self, folder: Path) -> list[Outcome]:
        """What came of each series of a folder, and what is wrong with that."""
        decisions = decide(scan(folder).series)
        return [
            self._outcome(record)
            for decision in decisions
            for record in [chosen.record for chosen in decision.stacks] or [decision.series]
        ]

    def _outcome(self, stack: SeriesRecord) -> Outcome:
        promised = tuple(finding.name for finding in header_findings(stack))
        try:
            volume = assemble(stack)
        except InputRejectedError as refusal:
            return Outcome(refusal.reasons, "" if refusal.reasons else "refused without a name")
        read_source_headers(volume)
        error = self._error_mm(volume)
        if promised:
            return Outcome((), f"assembled in spite of {promised[0]}")
        return Outcome((), f"off by {error:.4f} mm" if error > _TOLERANCE_MM else "")

    def _error_mm(self, volume: Volume) -> float:
        """Largest distance of a slice corner from where the undamaged file has it."""
        if volume.voxels_zyx.shape[1:] != self.made.voxels_zyx.shape[1:]:
            return np.inf
        places = [self.made.paths.index(source.path) for source in volume.source]
        rows, columns = volume.voxels_zyx.shape[1:]
        corners = [(j, i) for j in (0, rows - 1) for i in (0, columns - 1)]
        found = _places(volume.affine_lps, range(len(places)), corners)
        true = _places(self.made.affine_lps, places, corners)
        return float(np.linalg.norm(found - true, axis=-1).max())


def _places(
    affine: NDArray[np.float64], slices: range | list[int], corners: list[tuple[int, int]]
) -> NDArray[np.float64]:
    indices = np.array([[k, j, i, 1] for k in slices for j, i in corners], dtype=float)
    places: NDArray[np.float64] = (indices @ affine.T)[:, :3]
    return places


def _change_a_character(dataset: Dataset, rng: np.random.Generator) -> None:
    """Change one character of one number that decides."""
    texts = [keyword for keyword in _DECIDING if _text(dataset, keyword)]
    keyword = texts[int(rng.integers(len(texts)))]
    text = bytearray(_text(dataset, keyword))
    text[int(rng.integers(len(text)))] = int(rng.choice(list(b"0123456789.,-+eE\\ _x")))
    tag = Tag(keyword)
    dataset._dict[tag] = RawDataElement(tag, "DS", len(text), bytes(text), 0, False, True)


def _rewrite(dataset: Dataset, keyword: str, vr: str, change: Callable[[bytes], bytes]) -> None:
    if keyword in dataset:
        values = dataset[keyword].value
        listed = values if dataset[keyword].VM > 1 else [values]
        write(dataset, keyword, vr, change("\\".join(str(value) for value in listed).encode()))


def _text(dataset: Dataset, keyword: str) -> bytes:
    raw = dataset.get_item(keyword) if keyword in dataset else None
    is_text = isinstance(raw, RawDataElement) and raw.VR in ("DS", "IS")
    return bytes(raw.value or b"") if is_text else b""


def _edited(content: bytes, edit: Callable[[Dataset], None]) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    edit(dataset)
    written = io.BytesIO()
    try:
        dataset.save_as(written)
    except (ValueError, TypeError, AttributeError, KeyError):  # pydicom won't write this damage
        return content
    return written.getvalue()

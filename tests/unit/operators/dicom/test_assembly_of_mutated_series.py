"""A damaged or careless header: read as if it were none, or refused; nothing in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders.mr_series import make_series
from tests.builders.mutated_series import Original

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.filterwarnings("ignore")  # the mutations themselves write what pydicom warns about
def test_no_mutation_of_100_moves_a_slice_by_a_micrometre_without_a_refusal(tmp_path: Path):
    made = make_series(
        tmp_path, slices=11, rows=8, columns=10, shuffle_seed=None, tags=dict.fromkeys(_NEEDLESS)
    )
    original = Original.of(made)

    for seed in range(100):
        original.damage(seed)
        for outcome in original.outcomes(tmp_path):
            assert not outcome.complaint, seed

"""Selection after a scan of real files: classic, Enhanced and Legacy Converted MR."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydicom.uid import JPEG2000, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage
from pydicom.uid import MRImageStorage as ClassicMRImageStorage

from operators.dicom.reading.series import scan
from operators.dicom.selection.series_selection import SeriesDecision, decide
from tests.builders.mr_series import SAGITTAL, make_series, turned

if TYPE_CHECKING:
    from pathlib import Path

_CLASSES = (
    ClassicMRImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
)


def _decide(folder: Path, **options: object) -> SeriesDecision:
    make_series(folder, **options)
    (decision,) = decide(scan(folder).series)
    return decision


@pytest.mark.parametrize("sop_class", _CLASSES)
def test_a_t2_series_is_accepted_in_every_mr_image_class(sop_class: str, tmp_path: Path):
    assert _decide(tmp_path, sop_class=sop_class).accepted


@pytest.mark.parametrize("sop_class", _CLASSES)
def test_the_92_ms_echo_of_a_dual_echo_series_is_taken_in_every_class(
    sop_class: str,
    tmp_path: Path,
):
    decision = _decide(tmp_path, sop_class=sop_class, echo_times=(11.0, 92.0))

    assert decision.stacks
    assert {float(frame.header.EchoTime) for frame in decision.stacks[0].record.frames} == {92.0}
    assert (len(decision.stacks[0].record.frames), len(decision.series.frames)) == (12, 24)


@pytest.mark.parametrize("sop_class", [ClassicMRImageStorage, EnhancedMRImageStorage])
def test_one_of_three_repeated_measurements_is_taken(sop_class: str, tmp_path: Path):
    decision = _decide(tmp_path, sop_class=sop_class, temporal_positions=3)

    assert decision.stacks
    assert len(decision.stacks[0].record.frames) == 12


def test_a_pd_echo_alone_is_rejected_in_enhanced_mr_although_the_contrast_is_coded_t2(
    tmp_path: Path,
):
    decision = _decide(tmp_path, sop_class=EnhancedMRImageStorage, echo_times=(11.0,))

    assert "proton_density_weighted" in {reason.name for reason in decision.reasons}


def test_a_lossy_jpeg_2000_series_is_accepted_and_said_to_be_lossy(tmp_path: Path):
    decision = _decide(tmp_path, transfer_syntax=JPEG2000)

    assert decision.accepted
    assert "lossy_compressed" in {reason.name for reason in decision.reasons}


@pytest.mark.parametrize(
    "options",
    [
        {"missing": (5,)},
        {"positions_mm": tuple(4.4 * k + (2.0 if k == 6 else 0.0) for k in range(12))},
        {"shear_mm": 1.5},
        {"slices": 4},
        {"slice_tags": {3: {"ImageOrientationPatient": list(turned(SAGITTAL, 80.0))}}},
        {"slice_tags": {3: {"ImagePositionPatient": [31.5, -84.25, 117.75]}}},
        {"photometric": "MONOCHROME1"},
    ],
)
def test_faulty_geometry_is_no_matter_of_selection(options: dict[str, object], tmp_path: Path):
    decision = _decide(tmp_path, **options)

    assert decision.accepted
    assert decision.stacks[0].record is decision.series

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from operators.dicom.headers.normal_header import normal_header
from operators.dicom.reading.frames import planes
from operators.dicom.reading.series import scan
from tests.builders.mr_series import make_series

if TYPE_CHECKING:
    from pathlib import Path

_SAID_BY_ALL = (
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "EchoTime",
    "RepetitionTime",
    "FlipAngle",
    "EchoTrainLength",
    "NumberOfAverages",
    "ScanningSequence",
    "ImagedNucleus",
    "Rows",
    "PatientID",
    "SeriesInstanceUID",
)


def _headers(folder: Path) -> list[Dataset]:
    (record,) = scan(folder).series
    return [frame.header for frame in record.frames]


@pytest.mark.parametrize(
    "sop_class", [EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage]
)
def test_12_frames_of_a_multi_frame_object_read_like_12_classic_slices(
    tmp_path: Path, sop_class: str
):
    make_series(tmp_path / "multi", sop_class=sop_class)
    make_series(tmp_path / "classic", sop_class=MRImageStorage)

    multi, classic = _headers(tmp_path / "multi"), _headers(tmp_path / "classic")

    assert len(multi) == 12
    for header in multi:
        for keyword in _SAID_BY_ALL:
            assert header[keyword].value == classic[0][keyword].value, keyword
    positions = [
        {tuple(map(float, header.ImagePositionPatient)) for header in headers}
        for headers in (multi, classic)
    ]
    assert positions[0] == positions[1]
    assert len(positions[0]) == 12


def test_frames_are_numbered_from_1_and_classic_slices_are_not(tmp_path: Path):
    make_series(tmp_path / "multi", sop_class=EnhancedMRImageStorage)
    make_series(tmp_path / "classic")

    (multi,), (classic,) = scan(tmp_path / "multi").series, scan(tmp_path / "classic").series

    assert [frame.frame_number for frame in multi.frames] == list(range(1, 13))
    assert {frame.frame_number for frame in classic.frames} == {None}


def test_frame_headers_hold_no_functional_groups_and_no_pixels(tmp_path: Path):
    make_series(tmp_path, sop_class=EnhancedMRImageStorage)

    for header in _headers(tmp_path):
        assert "PixelData" not in header
        assert "PerFrameFunctionalGroupsSequence" not in header
        assert "SharedFunctionalGroupsSequence" not in header
        assert "NumberOfFrames" not in header


def test_every_frame_keeps_its_own_rescale_and_echo(tmp_path: Path):
    make_series(
        tmp_path,
        sop_class=EnhancedMRImageStorage,
        slopes=tuple(1 + k / 8 for k in range(12)),
        echo_times=(12.0, 100.0),
    )

    headers = _headers(tmp_path)

    assert sorted({float(header.RescaleSlope) for header in headers}) == pytest.approx(
        [1 + k / 8 for k in range(12)]
    )
    assert sorted(float(header.EchoTime) for header in headers) == [12.0] * 12 + [100.0] * 12


def _enhanced(**attributes: object) -> Dataset:
    header = Dataset()
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    frame = Dataset()
    modifier = Dataset()
    modifier.InversionTimes = [160.0]
    frame.MRModifierSequence = Sequence([modifier])
    header.PerFrameFunctionalGroupsSequence = Sequence([frame])
    return header


@pytest.mark.parametrize(
    ("attributes", "scanning"),
    [
        ({"EchoPulseSequence": "SPIN"}, "SE"),
        ({"EchoPulseSequence": "GRADIENT"}, "GR"),
        ({"EchoPulseSequence": "BOTH"}, ["SE", "GR"]),
        ({"EchoPulseSequence": "SPIN", "InversionRecovery": "YES"}, ["SE", "IR"]),
        ({"EchoPulseSequence": "GRADIENT", "EchoPlanarPulseSequence": "YES"}, ["GR", "EP"]),
    ],
)
def test_enhanced_pulse_sequences_get_their_classic_codes(
    tmp_path: Path, attributes: dict[str, str], scanning: object
):
    header, broken = normal_header(_enhanced(**attributes))

    (frame,) = planes(tmp_path, header)

    assert frame.header.ScanningSequence == scanning
    assert float(frame.header.InversionTime) == 160.0
    assert broken == ()


def test_empty_and_broken_elements_are_left_out(tmp_path: Path):
    made = make_series(tmp_path)
    dataset = pydicom.dcmread(made.paths[0], stop_before_pixels=True)
    dataset.EchoTime = None
    content = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag("RepetitionTime"), "DS", 4, b"abcd", 0, False, True
    )
    dataset[content.tag] = content

    header, broken = normal_header(dataset)

    assert header.get("EchoTime") is None
    assert header.get("RepetitionTime") is None
    assert broken == ("RepetitionTime",)
    assert np.allclose(header.PixelSpacing, [0.9, 0.6])

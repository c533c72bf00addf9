from __future__ import annotations

from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from operators.dicom.reading.extent import pixel_problem
from tests.builders.mr_series import make_series

if TYPE_CHECKING:
    from pathlib import Path

_SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEG2000Lossless,
)


def _problem(path: Path) -> str | None:
    with path.open("rb") as file:
        return pixel_problem(file, pydicom.dcmread(file, stop_before_pixels=True))


@pytest.mark.parametrize("syntax", _SYNTAXES)
def test_a_whole_file_of_12_frames_has_no_problem(tmp_path: Path, syntax: str):
    made = make_series(tmp_path, sop_class=EnhancedMRImageStorage, transfer_syntax=syntax)

    assert _problem(made.paths[0]) is None


@pytest.mark.parametrize("syntax", _SYNTAXES)
@pytest.mark.parametrize("lost", [2, 9, 200])
def test_bytes_lost_from_the_end_are_noticed(tmp_path: Path, syntax: str, lost: int):
    made = make_series(tmp_path, sop_class=EnhancedMRImageStorage, transfer_syntax=syntax)
    made.paths[0].write_bytes(made.paths[0].read_bytes()[:-lost])

    assert _problem(made.paths[0]) == "truncated_pixels"


def test_a_file_that_ends_where_its_pixels_should_begin_lacks_them(tmp_path: Path):
    made = make_series(tmp_path)
    content = made.paths[0].read_bytes()
    made.paths[0].write_bytes(content[: content.index(b"\xe0\x7f\x10\x00")])

    assert _problem(made.paths[0]) == "missing_pixels"


def test_a_file_that_ends_inside_a_name_has_a_truncated_header(tmp_path: Path):
    made = make_series(tmp_path)
    content = made.paths[0].read_bytes()
    made.paths[0].write_bytes(content[: content.index(b"Phantom^Lumbar") + 5])

    assert _problem(made.paths[0]) == "truncated_header"

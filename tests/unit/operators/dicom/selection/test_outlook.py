"""Selection and assembly in one answer: what explain promises, assembly keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.uid import EnhancedMRImageStorage

from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import scan
from operators.dicom.selection.outlook import as_json, foresee
from operators.dicom.selection.series_selection import decide
from operators.errors import SpineError
from tests.builders.mr_series import make_series
from tests.builders.stations import two_stations

ODD: dict[str, dict[str, object]] = {
    "plain": {},
    "gap": {"missing": (5,)},
    "few": {"slices": 4},
    "shear": {"shear_mm": 1.0},
    "irregular": {"positions_mm": tuple(4.4 * n + (1.5 if n > 6 else 0.0) for n in range(12))},
    "spacing": {"frame_spacing": {3: (1.8, 0.6)}},
    "no position": {"slice_tags": {4: {"ImagePositionPatient": None}}},
    "no orientation": {"tags": {"PixelSpacing": None}},
    "no rescale": {"slopes": (0.0,) * 12},
    "enhanced": {"sop_class": EnhancedMRImageStorage},
    "two echoes": {"echo_times": (11.0, 92.0)},
    "runs": {"temporal_positions": 2, "tags": {"TemporalPositionIdentifier": None}},
}


@pytest.mark.parametrize("name", list(ODD))
def test_accepted_is_said_exactly_where_assembly_gives_a_volume(tmp_path: Path, name: str):
    make_series(tmp_path, **ODD[name])
    (decision,) = decide(scan(tmp_path).series)
    outlook = foresee(decision)
    (chosen,) = decision.stacks
    try:
        assemble(chosen.record)
        refused: set[str] = set()
    except SpineError as error:
        refused = set(error.reasons)

    assert {finding.name for finding in outlook.findings[0]} == refused
    assert outlook.is_accepted == (not refused)
    against = {r.name for r in outlook.reasons if r.decides and not r.speaks_for}
    assert against == refused


def test_a_refused_station_is_a_hint_beside_one_that_is_taken(tmp_path: Path):
    two_stations(tmp_path, missing=(5,))
    (row,) = as_json(decide(scan(tmp_path).series))

    assert (row["accepted"], row["selected"], row["frames_taken"]) == (True, True, 23)
    (reason,) = [r for r in row["reasons"] if r["name"] == "missing_slice"]
    assert not reason["decides"]
    assert reason["detail"].startswith("stack 2 of 2: 1 missing")
    assert row["stacks"] == [
        {"label": "stack 1 of 2", "frames": 12, "accepted": True, "reasons": []},
        {"label": "stack 2 of 2", "frames": 11, "accepted": False, "reasons": ["missing_slice"]},
    ]

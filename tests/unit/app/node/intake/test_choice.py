from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.node.intake.choice import choose
from operators.dicom.selection.series_selection import SelectionSettings
from tests.builders.mr_series import make_series


def nobody() -> Sequence[Path]:
    raise AssertionError("the study's other series must not be read")


def dixon(kind: str) -> dict[str, object]:
    return {"ImageType": ["ORIGINAL", "PRIMARY", "M", kind]}


def test_a_sagittal_t2_series_is_accepted_without_a_look_at_the_others(tmp_path: Path):
    made = make_series(tmp_path)
    choice = choose(made.series_uid, made.paths, nobody, SelectionSettings())
    assert choice.is_accepted
    assert not choice.depends_on_others
    assert choice.decision["frames_taken"] == 12
    assert "t2_weighted" in choice.reasons


def test_a_t1_series_is_rejected_and_only_the_deciding_reasons_are_named(tmp_path: Path):
    made = make_series(tmp_path, echo_times=(9.0,), tags={"RepetitionTime": 500.0})
    choice = choose(made.series_uid, made.paths, nobody, SelectionSettings())
    assert not choice.is_accepted
    named = {reason["name"]: reason for reason in choice.decision["reasons"]}
    assert choice.reasons
    assert all(named[name]["decides"] for name in choice.reasons)
    assert not any(named[name]["speaks_for"] for name in choice.reasons)


def test_a_water_image_is_taken_only_where_there_is_no_in_phase_image(tmp_path: Path):
    water = make_series(tmp_path / "w", name="W", tags=dixon("WATER"))
    in_phase = make_series(tmp_path / "i", name="I", tags=dixon("IN_PHASE"))
    alone = choose(water.series_uid, water.paths, list, SelectionSettings())
    assert (alone.is_accepted, alone.depends_on_others) == (True, True)
    beside = choose(water.series_uid, water.paths, lambda: in_phase.paths, SelectionSettings())
    assert beside.reasons == ("in_phase_image_preferred",)
    assert choose(in_phase.series_uid, in_phase.paths, nobody, SelectionSettings()).is_accepted


def test_files_without_a_readable_image_of_the_series_are_a_named_rejection(tmp_path: Path):
    broken = tmp_path / "a.dcm"
    broken.write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 50)
    choice = choose("1.2.3", [broken], nobody, SelectionSettings())
    assert (choice.is_accepted, choice.reasons) == (False, ("no_readable_image",))
    assert choice.decision["reasons"][0]["name"] == "no_readable_image"

"""Levels that a person gives, through the whole graph with stand-in networks; and stations."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from app.run.execute import Job, execute
from app.run.record import ResultRecord, SeriesRecordEntry
from operators.anatomy.named_vertebrae import NamedVertebra, parse
from operators.spine.levels.stations import Station, from_json
from tests.builders.mr_series import SAGITTAL
from tests.builders.shown_spine import PITCH_MM
from tests.builders.stub_models import spine_series, stub_bundle

CLOCK = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TOP_MM = 417.75


def run(
    source: Path, output: Path, *named: NamedVertebra, others: tuple[Station, ...] = ()
) -> ResultRecord:
    job = Job(source=source, output=output, started=CLOCK, named=named, others=others)
    return execute(job, stub_bundle())


def objects(entry: SeriesRecordEntry, folder: Path) -> dict[str, pydicom.Dataset]:
    names = [name for name in entry.files if name.endswith(".dcm")]
    read = [pydicom.dcmread(folder / name, stop_before_pixels=True) for name in names]
    return {dataset.SeriesDescription: dataset for dataset in read if dataset.Modality == "SEG"}


def uids(entry: SeriesRecordEntry, folder: Path) -> set[str]:
    return {str(dataset.SOPInstanceUID) for dataset in objects(entry, folder).values()}


def texts(entry: SeriesRecordEntry) -> list[str]:
    return [level["text"] for level in entry.levels.values()]


def two_stations(folder: Path, *, bones_lower: int = 2) -> None:
    """Two series of one frame of reference; each shows four of six bones."""
    for name, origin in (("upper", TOP_MM), ("lower", TOP_MM - bones_lower * PITCH_MM)):
        place = (31.5, -84.25, origin)
        spine_series(folder / name, name=name, orientation=SAGITTAL, origin=place)


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lone")
    spine_series(folder)
    return folder


def test_a_name_stands_in_every_output_and_its_objects_are_others(lone: Path, tmp_path: Path):
    (plain,) = run(lone, tmp_path / "plain").series
    numbers = plain.vertebra_numbers
    given = parse(f"{numbers[0]}=L1")
    (named,) = run(lone, tmp_path / "named", given).series
    assert texts(named) == [f"L{n}" for n in range(1, 1 + len(numbers))]
    assert named.levels["20"]["evidence"] == ["named by a person"]
    made = objects(named, tmp_path / "named")
    (instances,) = (made[description] for description in made if "instances" in description)
    labels = {item.SegmentLabel: item for item in instances.SegmentSequence}
    assert named.vertebra_numbers == (20, 21, 22, 23)[: len(numbers)]
    first = labels["vertebra 20 (L1)"]
    assert first.AnatomicRegionSequence[0].CodeValue == "66794005"
    assert "Level: L1, confidence 1.00 (named by a person)." in first.SegmentDescription
    for item in made.values():
        algorithm = item.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
        assert f"named_levels={numbers[0]}=L1" in algorithm.AlgorithmParameters
    reasons = [one["not_given"].get("lumbar_lordosis") for one in plain.measurements]
    assert "levels_unknown" in reasons
    reasons = [one["not_given"].get("lumbar_lordosis") for one in named.measurements]
    assert "levels_unknown" not in reasons
    assert uids(plain, tmp_path / "plain").isdisjoint(uids(named, tmp_path / "named"))
    (again,) = run(lone, tmp_path / "again", given).series
    for name in named.files:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "named" / name).read_bytes()
    assert again.levels == named.levels


def test_a_place_names_the_same_vertebra_as_its_number(lone: Path, tmp_path: Path):
    (plain,) = run(lone, tmp_path / "plain").series
    level = list(plain.levels.values())[1]
    place = NamedVertebra(level=22, vertebra=99, centre_mm=tuple(level["centre_mm"]))
    (named,) = run(lone, tmp_path / "named", place).series
    assert named.levels["22"]["text"] == "L3"
    assert named.levels["22"]["evidence"] == ["named by a person"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (("9=L1",), "unknown_vertebra"),
        (("other:2=L1",), "unknown_vertebra"),
        (("2=L1", "3=L3"), "impossible_order"),
    ],
)
def test_names_that_do_not_fit_give_no_result(
    lone: Path, tmp_path: Path, given: tuple[str, ...], reason: str
):
    record = run(lone, tmp_path / "out", *map(parse, given))
    assert (record.status, record.exit_code) == ("failed", 10)
    assert record.error is not None
    assert (record.error.code, record.error.reasons) == ("SPN-1700", (reason,))
    assert not (tmp_path / "out").exists()


def test_overlapping_stations_agree_and_one_name_reaches_both(tmp_path: Path):
    two_stations(tmp_path / "mr")
    record = run(tmp_path / "mr", tmp_path / "joint")
    upper, lower = sorted(record.series, key=lambda entry: -top_of(entry))
    shared = texts(upper)[2:4], texts(lower)[:2]
    assert shared[0] == shared[1]
    for level in (*upper.levels.values(), *lower.levels.values()):
        assert "agrees with the other station" in level["evidence"]
    alone = {}
    for name, entry in (("upper", upper), ("lower", lower)):
        (alone[name],) = run(tmp_path / "mr" / name, tmp_path / name).series
        assert uids(alone[name], tmp_path / name).isdisjoint(uids(entry, tmp_path / "joint"))
    given = parse(f"{upper.key}:{upper.vertebra_numbers[0]}=T10")
    record = run(tmp_path / "mr", tmp_path / "named", given)
    upper, lower = sorted(record.series, key=lambda entry: -top_of(entry))
    assert [level["level"] for level in upper.levels.values()] == ["T10", "T11", "T12", "L1"]
    assert [level["level"] for level in lower.levels.values()] == ["T12", "L1", "L2", "L3"]


def test_a_person_names_the_number_that_stands_there(tmp_path: Path):
    two_stations(tmp_path / "mr")
    (lower,) = run(tmp_path / "mr" / "lower", tmp_path / "lower", parse("2=T5")).series
    assert lower.vertebra_numbers == (12, 13, 14, 15)
    station = from_json(lower.station)
    assert station is not None
    assert station.named == {12: 12}
    upper_mr = tmp_path / "mr" / "upper"
    (upper,) = run(upper_mr, tmp_path / "upper", others=(station,)).series
    assert upper.vertebra_numbers == (10, 11, 12, 13)
    # What is said of the station itself outweighs what was said of the other one.
    (again,) = run(upper_mr, tmp_path / "again", parse("10=T2"), others=(station,)).series
    assert texts(again) == ["T2", "T3", "T4", "T5"]
    assert again.vertebra_numbers == (9, 10, 11, 12)


def test_a_bare_number_among_several_results_is_refused(tmp_path: Path):
    two_stations(tmp_path / "mr", bones_lower=9)
    record = run(tmp_path / "mr", tmp_path / "out", parse("2=L1"))
    assert record.error is not None
    assert record.error.reasons == ("several_results",)
    (first, second) = run(tmp_path / "mr", tmp_path / "out").series
    for level in (*first.levels.values(), *second.levels.values()):
        assert "agrees with the other station" not in level["evidence"]


def top_of(entry: SeriesRecordEntry) -> float:
    return max(level["centre_mm"][2] for level in entry.levels.values())

"""Received series become jobs, once each and never from a part: files, journal, selection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import EnhancedMRImageStorage

from app.errors import PeerUnreachableError
from app.node.intake.job_ids import job_id_of
from app.node.journal import corrections
from app.node.journal.engine import transaction
from app.node.journal.series import discard
from app.node.web.reasons import deciding_words, decision_words
from operators.anatomy.named_vertebrae import NamedVertebra
from tests.builders.mr_series import MadeSeries, make_series
from tests.builders.stations import two_stations
from tests.builders.virtual_intake import IDENTITY, VirtualIntake

SLICES = 12
PEERS: dict[str, Any] = {
    "peers": [{"name": "ct", "ae_title": "SCANNER", "host": "pacs", "port": 104, "can_move": True}]
}
Maker = Callable[..., VirtualIntake]


@pytest.fixture
def make_node(tmp_path: Path) -> Iterator[Maker]:
    made: list[VirtualIntake] = []

    def make(**node: object) -> VirtualIntake:
        made.append(VirtualIntake(tmp_path / f"node{len(made)}", **node))
        return made[-1]

    yield make
    for node in made:
        node.engine.dispose()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> MadeSeries:
    return make_series(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def announced(tmp_path_factory: pytest.TempPathFactory) -> MadeSeries:
    """Every header says how many images there are."""
    return make_series(tmp_path_factory.mktemp("announced"), tags={"ImagesInAcquisition": SLICES})


@pytest.mark.parametrize("here", range(1, SLICES))
def test_a_sender_that_stops_after_k_of_12_announced_slices_starts_nothing_and_is_held(
    make_node: Maker, announced: MadeSeries, here: int
):
    node = make_node()
    for path in announced.paths[:here]:
        node.receive([path])
        node.wait(6.0, step=3.0)
    node.wait(2000.0, step=50.0)
    assert node.jobs() == []
    assert node.state(announced.series_uid) == "held"
    node.receive(announced.paths[here:])
    node.wait(1.0)
    (job,) = node.jobs()
    assert (job.inputs, job.revision) == (SLICES, 1)


@pytest.mark.parametrize("here", range(1, SLICES))
def test_a_sender_that_pauses_after_k_of_12_slices_starts_nothing_while_its_peer_has_12(
    make_node: Maker, plain: MadeSeries, here: int
):
    node = make_node(**PEERS)
    node.peer.count = SLICES
    node.receive(plain.paths[:here])
    node.wait(800.0, step=25.0)
    assert node.jobs() == []
    node.receive(plain.paths[here:])
    node.wait(1.0)
    assert [job.inputs for job in node.jobs()] == [SLICES]
    assert node.series(plain.series_uid).completeness["reasons"] == ["peer_count"]


@pytest.mark.parametrize("lost", range(1, SLICES - 1))
def test_a_missing_inner_slice_is_held_whatever_the_peer_says_and_a_person_may_force_it(
    make_node: Maker, plain: MadeSeries, lost: int
):
    node = make_node(**PEERS)
    node.peer.count = SLICES - 1
    node.receive([path for n, path in enumerate(plain.paths) if n != lost])
    node.wait(0.5)
    node.wait(899.0, step=31.0)
    assert node.state(plain.series_uid) == "receiving"
    node.wait(4.0)
    assert (node.state(plain.series_uid), node.jobs()) == ("held", [])
    assert node.series(plain.series_uid).completeness["missing_mm"] == pytest.approx([4.4 * lost])
    assert node.force(plain.series_uid)
    node.wait(0.5)
    (job,) = node.jobs()
    assert job.inputs == SLICES - 1
    assert not node.series(plain.series_uid).is_forced


def test_a_content_that_is_accepted_anew_keeps_the_levels_that_a_person_gave(
    make_node: Maker, announced: MadeSeries
):
    node = make_node()
    node.receive(announced.paths)
    node.wait(1.0)
    (job,) = node.jobs()
    given = NamedVertebra(level=23, vertebra=3, centre_mm=(1.0, 2.0, 3.0))
    with transaction(node.engine) as c:
        c.exec_driver_sql("UPDATE job SET state = 'succeeded'")
        corrections.correct(c, job.job_id, (given,), actor="anna", now=1.0)
        assert discard(c, announced.series_uid, 2.0)
    assert node.force(announced.series_uid)
    node.wait(0.5)
    words = ("correction 1", "L4 at 1.0 2.0 3.0 mm")
    again = job_id_of(IDENTITY, announced.series_uid, job.content_digest, words)
    assert {job.job_id for job in node.jobs()} == {job.job_id, again}


def test_one_association_per_slice_with_gaps_of_6_s_is_exactly_one_job(
    make_node: Maker, plain: MadeSeries
):
    node = make_node()
    for path in plain.paths:
        node.receive([path])
        node.wait(0.5)
        node.end_association(plain.series_uid, is_released=True)
        node.wait(5.5)
    node.wait(23.0)
    assert node.jobs() == []
    node.wait(60.0)
    assert [(job.inputs, job.revision) for job in node.jobs()] == [(SLICES, 1)]


def test_a_proven_series_starts_within_a_second_of_its_last_slice(
    make_node: Maker, announced: MadeSeries
):
    node = make_node()
    node.receive(announced.paths)
    node.wait(1.0, step=0.25)
    assert len(node.jobs()) == 1


def test_one_enhanced_object_starts_within_a_second(make_node: Maker, tmp_path: Path):
    made = make_series(tmp_path / "enhanced", sop_class=EnhancedMRImageStorage)
    node = make_node()
    node.receive(made.paths)
    node.wait(1.0, step=0.25)
    assert [job.inputs for job in node.jobs()] == [1]
    assert node.series(made.series_uid).completeness["reasons"] == ["enhanced"]


@pytest.mark.parametrize("here", range(5, SLICES))
def test_a_sender_that_dies_within_its_association_is_held_and_goes_on_with_the_next_one(
    make_node: Maker, plain: MadeSeries, here: int
):
    node = make_node()
    node.receive(plain.paths[:here])
    node.end_association(plain.series_uid, is_released=False)
    node.wait(1000.0, step=25.0)
    assert (node.state(plain.series_uid), node.jobs()) == ("held", [])


def test_late_slices_make_a_second_revision_that_names_its_predecessor(
    make_node: Maker, plain: MadeSeries
):
    node = make_node()
    node.receive(plain.paths[:9])
    node.wait(40.0)
    node.receive(plain.paths[9:])
    node.wait(40.0)
    first, second = node.jobs()
    assert (first.inputs, first.revision, first.predecessor_job_id) == (9, 1, None)
    assert (second.inputs, second.revision) == (SLICES, 2)
    assert second.predecessor_job_id == first.job_id
    assert (first.state, first.error_code) == ("cancelled", "superseded")


def test_a_repaired_slice_under_its_old_uid_is_a_new_revision(
    make_node: Maker, announced: MadeSeries, tmp_path: Path
):
    node = make_node()
    node.receive(announced.paths)
    node.wait(2.0)
    changed = pydicom.dcmread(announced.paths[3])
    changed.PatientName = "Corrected^Name"
    changed.save_as(tmp_path / "changed.dcm")
    node.receive([tmp_path / "changed.dcm"])
    node.wait(2.0)
    first, second = node.jobs()
    assert second.job_id != first.job_id
    assert (second.inputs, second.predecessor_job_id) == (SLICES, first.job_id)


def test_the_same_study_sent_three_times_with_restarts_between_is_one_job(
    make_node: Maker, announced: MadeSeries
):
    node = make_node()
    for paths in (announced.paths, announced.paths[::-1], announced.paths):
        node.receive(paths)
        node.wait(40.0)
        node.intake = node.restarted()
    assert len(node.jobs()) == 1
    assert node.state(announced.series_uid) == "accepted"


def test_a_series_that_is_not_ours_is_rejected_with_its_reasons_and_never_held(
    make_node: Maker, tmp_path: Path
):
    made = make_series(tmp_path / "t1", echo_times=(9.0,), tags={"RepetitionTime": 500.0})
    node = make_node()
    node.receive([path for n, path in enumerate(made.paths) if n != 4])
    node.wait(950.0, step=10.0)
    assert node.jobs() == []
    row = node.series(made.series_uid)
    assert (row.state, row.decision["accepted"]) == ("rejected", False)
    assert 303 in node.numbers()
    assert 302 not in node.numbers()


def test_a_clock_set_an_hour_ahead_between_two_slices_shortens_no_waiting(
    make_node: Maker, plain: MadeSeries
):
    node = make_node()
    node.receive(plain.paths[:8])
    node.wait(5.0)
    node.inbox.now = 3600.0
    node.inbox.receive(plain.paths[8:10])
    node.wait(6.0)
    assert node.jobs() == []
    node.inbox.now = 0.5
    node.inbox.receive(plain.paths[10:])
    node.wait(29.0)
    assert node.jobs() == []
    node.wait(2.0)
    assert [job.inputs for job in node.jobs()] == [SLICES]


def test_a_slice_that_arrives_while_the_series_is_chosen_is_in_the_job(
    make_node: Maker, plain: MadeSeries, monkeypatch: pytest.MonkeyPatch
):
    node = make_node()
    node.receive(plain.paths[:11])
    submit = node.executor.submit

    def late(*args: Any) -> object:
        monkeypatch.setattr(node.executor, "submit", submit)
        node.receive(plain.paths[11:])
        return submit(*args)

    monkeypatch.setattr(node.executor, "submit", late)
    node.wait(29.0)
    node.wait(2.0)
    assert node.jobs() == []
    node.wait(40.0)
    assert [(job.inputs, job.revision) for job in node.jobs()] == [(SLICES, 1)]


def test_a_slice_of_the_same_microsecond_that_arrives_meanwhile_is_in_the_job(
    make_node: Maker, plain: MadeSeries, monkeypatch: pytest.MonkeyPatch
):
    node = make_node()
    node.receive(plain.paths[:11])
    before = node.series(plain.series_uid).last_instance_at
    submit = node.executor.submit

    def late(*args: Any) -> object:
        monkeypatch.setattr(node.executor, "submit", submit)
        node.receive(plain.paths[11:])
        with transaction(node.engine) as c:
            c.exec_driver_sql(f"UPDATE series SET last_instance_at = {before}")  # noqa: S608
        return submit(*args)

    monkeypatch.setattr(node.executor, "submit", late)
    node.wait(80.0)
    assert [job.inputs for job in node.jobs()] == [SLICES]


def test_slices_200_s_apart_are_not_held_although_the_series_takes_40_minutes(
    make_node: Maker, announced: MadeSeries
):
    node = make_node()
    for path in announced.paths:
        assert node.jobs() == []
        node.receive([path])
        node.wait(200.0, step=20.0)
    assert 302 not in node.numbers()
    assert [job.inputs for job in node.jobs()] == [SLICES]


def test_a_held_series_is_repaired_by_a_move_from_its_origin(make_node: Maker, plain: MadeSeries):
    node = make_node(**PEERS)
    node.peer.count = SLICES
    node.peer.deliver = lambda: node.receive(plain.paths)
    node.receive(plain.paths[:7])
    node.wait(940.0, step=10.0)
    assert node.peer.moves == 1
    assert [job.inputs for job in node.jobs()] == [SLICES]
    assert [number for number in node.numbers() if number in {302, 323, 301}] == [302, 323, 301]


def test_a_move_that_brings_nothing_is_asked_for_four_times_within_two_hours(
    make_node: Maker, plain: MadeSeries
):
    node = make_node(**PEERS)
    node.peer.count = SLICES
    node.receive(plain.paths[:7])
    node.wait(20_000.0, step=50.0)
    assert node.peer.moves == 4
    assert node.state(plain.series_uid) == "held"


def test_a_peer_that_receives_while_it_forwards_proves_nothing_by_its_growing_counts(
    make_node: Maker, plain: MadeSeries
):
    node = make_node(**PEERS)
    for count, path in enumerate(plain.paths, start=1):
        node.peer.count = count
        node.receive([path])
        node.wait(6.0)
    assert node.jobs() == []
    node.wait(40.0)
    assert [job.inputs for job in node.jobs()] == [SLICES]
    assert node.series(plain.series_uid).completeness["reasons"] == ["quiet"]


def test_a_peer_that_does_not_answer_is_asked_every_30_s_and_holds_nothing_up(
    make_node: Maker, plain: MadeSeries
):
    node = make_node(**PEERS)
    node.peer.error = PeerUnreachableError()
    node.receive(plain.paths[:6])
    for path in plain.paths[6:]:
        node.wait(25.0)
        node.receive([path])
    node.wait(40.0)
    assert len(node.jobs()) == 1
    gaps = [b - a for a, b in pairwise(node.peer.asked_at)]
    assert min(gaps) >= 30.0
    assert 4 <= len(node.peer.asked_at) <= 7


def test_a_discarded_series_stays_so_although_slices_arrive(make_node: Maker, plain: MadeSeries):
    node = make_node()
    node.receive(plain.paths[:6])
    with transaction(node.engine) as c:
        discard(c, plain.series_uid, 1.0)
    node.receive(plain.paths[6:])
    node.wait(40.0)
    assert (node.state(plain.series_uid), node.jobs()) == ("discarded", [])


def test_a_water_image_waits_for_an_in_phase_image_and_is_left_out_for_it(
    make_node: Maker, tmp_path: Path
):
    water = make_series(
        tmp_path / "water", name="W", tags={"ImageType": ["ORIGINAL", "PRIMARY", "M", "WATER"]}
    )
    in_phase = make_series(
        tmp_path / "in", name="I", tags={"ImageType": ["ORIGINAL", "PRIMARY", "M", "IN_PHASE"]}
    )
    node = make_node()
    node.receive(water.paths)
    node.wait(25.0)
    node.receive(in_phase.paths)
    node.wait(20.0)
    assert node.jobs() == []
    node.wait(30.0)
    assert [job.series_uid for job in node.jobs()] == [in_phase.series_uid]
    assert node.state(water.series_uid) == "rejected"


def test_two_water_images_do_not_wait_for_each_other(make_node: Maker, tmp_path: Path):
    node = make_node()
    for name in ("A", "B"):
        tags = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "WATER"], "RepetitionTime": 3000.0}
        node.receive(make_series(tmp_path / name, name=name, tags=tags).paths)
    node.wait(35.0)
    assert len(node.jobs()) == 2


@pytest.mark.parametrize("tilt", [False, True])
def test_two_stations_of_one_series_are_one_job_without_a_doubt(
    make_node: Maker,
    tmp_path: Path,
    tilt: bool,  # noqa: FBT001 - a parametrised case
):
    upper, lower = two_stations(tmp_path, tilt=tilt)
    node = make_node()
    node.receive([*upper.paths, *lower.paths])
    node.wait(40.0)
    assert [job.inputs for job in node.jobs()] == [24]
    row = node.series(upper.series_uid)
    assert row.completeness["reasons"] == ["quiet"]
    assert [stack["label"] for stack in row.decision["stacks"]] == ["stack 1 of 2", "stack 2 of 2"]


def test_a_gap_in_one_of_two_stations_is_held(make_node: Maker, tmp_path: Path):
    upper, lower = two_stations(tmp_path, missing=(5,))
    node = make_node()
    node.receive([*upper.paths, *lower.paths])
    node.wait(950.0, step=10.0)
    assert (node.state(upper.series_uid), node.jobs()) == ("held", [])
    assert node.series(upper.series_uid).completeness["reasons"] == ["missing_slice"]


def test_one_acquisition_in_twelve_series_is_rejected_by_that_name_in_each(
    make_node: Maker, tmp_path: Path
):
    uids = [f"1.2.3.{n}" for n in range(SLICES)]
    made = make_series(
        tmp_path, slice_tags={n: {"SeriesInstanceUID": uid} for n, uid in enumerate(uids)}
    )
    node = make_node()
    node.receive(made.paths)
    node.wait(60.0)
    assert node.jobs() == []
    assert {node.state(uid) for uid in uids} == {"rejected"}
    assert {deciding_words(node.series(uid).decision) for uid in uids} == {
        "One acquisition, spread over several series"
    }


def test_one_slice_alone_in_its_study_goes_to_assembly_after_it_has_waited(
    make_node: Maker, tmp_path: Path
):
    made = make_series(tmp_path, slices=1)
    node = make_node()
    node.receive(made.paths)
    node.wait(60.0)
    assert [job.inputs for job in node.jobs()] == [1]
    decision = node.series(made.series_uid).decision
    assert (decision["selected"], decision["accepted"]) == (True, False)
    assert deciding_words(decision) == "Too few slices for a volume"


def test_a_forced_series_with_a_gap_says_the_name_that_its_job_will_be_refused_by(
    make_node: Maker, plain: MadeSeries
):
    node = make_node()
    node.receive([path for n, path in enumerate(plain.paths) if n != 5])
    node.wait(40.0)
    assert node.force(plain.series_uid)
    node.wait(1.0)
    assert len(node.jobs()) == 1
    decision = node.series(plain.series_uid).decision
    assert decision_words(decision) == "Selected, but no volume"
    assert deciding_words(decision) == "A slice is missing between others"


def test_a_knee_by_five_texts_is_rejected_without_a_job(make_node: Maker, tmp_path: Path):
    texts = ("MRT Knie links", "knee_routine", "t2_tse_sag knee")
    keywords = ("StudyDescription", "ProtocolName", "SeriesDescription")
    tags = {"BodyPartExamined": "KNEE", **dict(zip(keywords, texts, strict=True))}
    made = make_series(tmp_path, tags=tags)
    node = make_node()
    node.receive(made.paths)
    node.wait(40.0)
    assert (node.state(made.series_uid), node.jobs()) == ("rejected", [])
    assert deciding_words(node.series(made.series_uid).decision) == (
        "Several independent texts agree on another body part"
    )

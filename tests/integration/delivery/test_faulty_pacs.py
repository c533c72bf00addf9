"""Attempts against a PACS with faults on order, over real sockets, with a virtual clock."""

from __future__ import annotations

import threading
import time
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import decode

from app.node.delivery.attempt import SLOTS, Courier, Verdict
from app.node.journal.deliveries import due
from app.node.journal.delivery_decisions import discard, release, resend
from app.node.journal.destinations import health_of
from app.node.journal.engine import reading, transaction
from app.node.peers.dimse import PATIENT, Patience
from app.node.peers.kinds import destination_of
from app.node.peers.store import read_storable, store_files
from app.settings.peers import DimsePeerSettings
from operators.dicom.identity.result_kinds import ENHANCED_SR_STORAGE
from tests.builders.faulty_pacs import ABORT, CLOSE, HANG, HOST, faulty_pacs, silent_server
from tests.builders.orthanc import free_port
from tests.builders.planned_deliveries import (
    START,
    Heard,
    VirtualClock,
    delivery_rows,
    journal_in,
    node_of,
    plan_job,
    segmentation_file,
    states_of,
)
from tests.builders.waiting import eventually

# pynetdicom drops the socket of a refused connection without closing it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

CALM = Patience(connect_s=30, association_s=30, message_s=30)
"""Where an answer comes: also from a busy machine."""
QUICK = Patience(connect_s=30, association_s=30, message_s=3)
"""Where none comes to one object, and one to the object before."""
ENDLESS = Patience(connect_s=300, association_s=300, message_s=300)


class Scene:
    """A node's journal, clock and courier before some peers."""

    def __init__(
        self,
        data: Path,
        *peers: DimsePeerSettings,
        patience: Patience = CALM,
        **delivery: float,
    ) -> None:
        self.data = data
        self.engine = journal_in(data)
        self.clock = VirtualClock()
        self.heard = Heard()
        self.courier = Courier(
            self.engine,
            node_of(data, *peers, **delivery),
            clock=self.clock,
            emit=self.heard,
            open_destination=partial(destination_of, patience=patience),
        )

    def plan(self, name: str = "a", **choices: object):
        return plan_job(self.engine, self.data, name, now=self.clock(), **choices)

    def until_finished(self, group, attempts: int = 200) -> list[float]:
        """Delays that the workflow would have slept."""
        delays: list[float] = []
        for _ in range(attempts):
            verdict = self.courier.attempt(group)
            if verdict.delay_s is None:
                return delays
            delays.append(verdict.delay_s)
            self.clock.advance(verdict.delay_s)
        raise AssertionError(delays[-5:])


def test_two_objects_are_stored_in_one_association_and_confirmed_by_another(tmp_path: Path) -> None:
    with faulty_pacs() as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan()
        assert scene.courier.attempt(job.group()) == Verdict()
        assert (pacs.associations, pacs.finds) == (2, 1)
    assert pacs.received == list(job.sop_instance_uids)
    rows = delivery_rows(scene.engine, job)
    assert [(row.state, row.confirmed_by, row.attempts) for row in rows] == [
        ("delivered", "c_find", 1)
    ] * 2
    assert scene.heard.numbers() == [501, 502, 502]


def test_the_data_set_arrives_byte_for_byte(tmp_path: Path) -> None:
    with faulty_pacs() as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=1)
        scene.courier.attempt(job.group())
    (uid,) = job.sop_instance_uids
    file = job.paths[0].read_bytes()
    assert len(pacs.held[uid]) > 4000
    assert file.endswith(pacs.held[uid])


def test_a_peer_that_knows_implicit_vr_only_gets_the_same_attributes(tmp_path: Path) -> None:
    with faulty_pacs(transfer_syntaxes=[ImplicitVRLittleEndian]) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=1)
        assert scene.courier.attempt(job.group()).is_finished
    (received,) = pacs.held.values()
    sent = dcmread(job.paths[0])
    assert sent.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert sent.PixelData in received
    assert not job.paths[0].read_bytes().endswith(received)


def test_a_compressed_object_arrives_byte_for_byte_where_rle_is_taken(tmp_path: Path) -> None:
    with faulty_pacs() as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=1, is_compressed=True)
        scene.courier.attempt(job.group())
    assert job.paths[0].read_bytes().endswith(pacs.held[job.sop_instance_uids[0]])
    (row,) = delivery_rows(scene.engine, job)
    assert (row.state, row.is_uncompressed) == ("delivered", 0)
    assert scene.heard.numbers() == [501, 502]


@pytest.mark.parametrize(
    ("taken", "used"),
    [
        ([ExplicitVRLittleEndian, ImplicitVRLittleEndian], ExplicitVRLittleEndian),
        ([ExplicitVRLittleEndian], ExplicitVRLittleEndian),
        ([ImplicitVRLittleEndian], ImplicitVRLittleEndian),
    ],
)
def test_a_peer_without_rle_gets_the_same_object_uncompressed_and_the_journal_says_so(
    tmp_path: Path, taken: list[str], used: str
) -> None:
    with faulty_pacs(transfer_syntaxes=taken) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=2, is_compressed=True)
        assert scene.courier.attempt(job.group()).is_finished
    for wanted in map(dcmread, job.paths):
        sent = BytesIO(pacs.held[wanted.SOPInstanceUID])
        received = decode(sent, used == ImplicitVRLittleEndian, True)
        assert received.PixelData == wanted.pixel_array.tobytes()
        del wanted.PixelData, received.PixelData
        assert received == wanted
    rows = delivery_rows(scene.engine, job)
    assert [(row.state, row.is_uncompressed) for row in rows] == [("delivered", 1)] * 2
    assert scene.heard.events[1] == (
        508,
        {"job": job.job_id, "peer": "pacs", "count": 2},
    )


def test_a_compressed_object_whose_pixels_are_damaged_is_parked_where_rle_is_not_taken(
    tmp_path: Path,
) -> None:
    with faulty_pacs(transfer_syntaxes=[ExplicitVRLittleEndian]) as pacs:
        path = tmp_path / "damaged.dcm"
        segmentation_file(path, "1.2", "1.2.3", "1.2.3.4", is_compressed=True)
        damaged = dcmread(path)
        damaged.PixelData = encapsulate([b"no run lengths"] * 2)
        damaged["PixelData"].is_undefined_length = True
        damaged.save_as(path)
        answers: list[int | None] = []
        store_files(
            pacs.peer(),
            "SPINENODE",
            [read_storable(path)],
            on_answer=lambda _file, status: answers.append(status),
        )
    assert answers == [None]
    assert pacs.received == []


@pytest.mark.parametrize("status", [0xB000, 0xB007, 0x0107])
def test_a_warning_counts_as_stored(tmp_path: Path, status: int) -> None:
    with faulty_pacs([status], offers_find=False) as pacs:
        scene = Scene(tmp_path, pacs.peer(can_find=False))
        job = scene.plan(objects=1)
        assert scene.courier.attempt(job.group()).is_finished
    (row,) = delivery_rows(scene.engine, job)
    assert (row.state, row.last_status, row.confirmed_by) == ("delivered", status, "c_store")


def test_a_duplicate_is_done_when_the_peer_lists_it(tmp_path: Path) -> None:
    with faulty_pacs([0x0111]) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=1)
        pacs.held[job.sop_instance_uids[0]] = b"from before"
        assert scene.courier.attempt(job.group()).is_finished
    assert states_of(scene.engine, job) == ["delivered"]


def test_only_the_object_that_failed_is_sent_again(tmp_path: Path) -> None:
    with faulty_pacs([0x0000, 0xA700, 0x0000]) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=3)
        delays = scene.until_finished(job.group())
    first, second, third = job.sop_instance_uids
    assert pacs.received == [first, second, third, second]
    assert len(delays) == 1
    assert 5 <= delays[0] <= 10
    assert states_of(scene.engine, job) == ["delivered"] * 3


@pytest.mark.parametrize("status", [0xC000, 0xC123, 0x0117])
def test_a_permanent_refusal_is_a_dead_letter_at_once(tmp_path: Path, status: int) -> None:
    with faulty_pacs([status]) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan()
        assert scene.courier.attempt(job.group()).is_finished
    refused, stored = delivery_rows(scene.engine, job)
    assert (refused.state, refused.last_error) == ("dead", f"status_{status:04X}")
    assert stored.state == "delivered"
    assert len(pacs.received) == 2
    assert 505 in scene.heard.numbers()


def test_a_peer_that_answers_0122_parks_the_object_with_an_alert(tmp_path: Path) -> None:
    with faulty_pacs([0x0122]) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=1)
        assert scene.courier.attempt(job.group()).is_finished
    (row,) = delivery_rows(scene.engine, job)
    assert (row.state, row.last_error, row.last_status) == ("parked", "status_0122", 0x0122)
    assert scene.heard.numbers().count(504) == 1


@pytest.mark.parametrize(
    ("script", "also_takes", "error"),
    [([], [], "context_refused"), ([0, 0, 0x0122], [ENHANCED_SR_STORAGE], "status_0122")],
)
def test_a_peer_that_takes_no_reports_gets_the_segmentations_and_nobody_has_to_act(
    tmp_path: Path, script: list[int], also_takes: list[str], error: str
) -> None:
    with faulty_pacs(script, also_takes=also_takes) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=3, reports=1)
        assert scene.courier.attempt(job.group()).is_finished
    report, *segmentations = delivery_rows(scene.engine, job)
    assert (report.state, report.last_error) == ("declined", error)
    assert [row.state for row in segmentations] == ["delivered"] * 2
    assert list(job.sop_instance_uids[1:]) == pacs.received[:2]  # before what may be refused
    assert (511, {"job": job.job_id, "peer": "pacs", "kind": "report"}) in scene.heard.events
    assert {503, 504}.isdisjoint(scene.heard.numbers())
    with reading(scene.engine) as c:
        assert health_of(c, "pacs").consecutive_failures == 0


@pytest.mark.parametrize("fault", [ABORT, CLOSE, 0x0110, 0xA700])
def test_a_peer_that_fails_at_every_report_is_not_paused_and_gets_every_segmentation(
    tmp_path: Path, fault: str | int
) -> None:
    with faulty_pacs([0, 0, *[fault] * 40], also_takes=[ENHANCED_SR_STORAGE]) as pacs:
        scene = Scene(tmp_path, pacs.peer(), longest_delay_s=5)
        first = scene.plan(objects=3, reports=1)
        for _ in range(15):
            scene.courier.attempt(first.group())
            scene.clock.advance(12)
        assert states_of(scene.engine, first) == ["queued", "delivered", "delivered"]
        assert len(pacs.received) >= 14
        pacs.script = [0, 0, fault]
        second = scene.plan("b", objects=3, reports=1)
        scene.courier.attempt(second.group())
        assert states_of(scene.engine, second) == ["queued", "delivered", "delivered"]
    with reading(scene.engine) as c:
        health = health_of(c, "pacs")
    assert (health.consecutive_failures, health.open_until) == (0, None)
    assert 506 not in scene.heard.numbers()


def test_a_peer_that_takes_reports_gets_all_and_one_that_has_to_and_does_not_needs_a_person(
    tmp_path: Path,
) -> None:
    with faulty_pacs(also_takes=[ENHANCED_SR_STORAGE]) as pacs, faulty_pacs() as poor:
        wanted = ["segmentation", "report"]
        scene = Scene(tmp_path, pacs.peer(), poor.peer("poor", objects=wanted))
        job = scene.plan(objects=3, reports=1, destinations=("pacs", "poor"))
        assert scene.courier.attempt(job.group()).is_finished
        assert scene.courier.attempt(job.group("poor")).is_finished
    assert states_of(scene.engine, job) == ["delivered"] * 3
    assert states_of(scene.engine, job, "poor") == ["parked", "delivered", "delivered"]
    assert scene.heard.numbers().count(504) == 1


def test_a_report_that_is_not_taken_can_be_sent_again(tmp_path: Path) -> None:
    with faulty_pacs() as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=1, reports=1)
        assert scene.courier.attempt(job.group()).is_finished
    assert states_of(scene.engine, job) == ["declined"]
    with faulty_pacs(also_takes=[ENHANCED_SR_STORAGE], port=pacs.port) as pacs:
        with transaction(scene.engine) as c:
            assert resend(c, job.job_id, scene.clock())
            (group,) = due(c, scene.clock())
        assert scene.courier.attempt(group).is_finished
    assert states_of(scene.engine, job) == ["delivered"]


def test_a_peer_that_refuses_the_segmentation_context_parks_all_objects(tmp_path: Path) -> None:
    with faulty_pacs(takes_segmentations=False) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan()
        assert scene.courier.attempt(job.group()).is_finished
        assert pacs.received == []
    rows = delivery_rows(scene.engine, job)
    assert [(row.state, row.last_error) for row in rows] == [("parked", "context_refused")] * 2
    assert scene.heard.numbers().count(504) == 2


@pytest.mark.parametrize("fault", [ABORT, CLOSE, HANG])
def test_a_broken_association_is_repeated_for_what_is_missing(tmp_path: Path, fault: str) -> None:
    with faulty_pacs([0x0000, fault]) as pacs:
        scene = Scene(tmp_path, pacs.peer(), patience=QUICK if fault == HANG else CALM)
        job = scene.plan(objects=3)
        began = time.monotonic()
        verdict = scene.courier.attempt(job.group())
        assert time.monotonic() - began < PATIENT.message_s / 2
        assert verdict.delay_s is not None
        assert states_of(scene.engine, job) == ["sent", "queued", "queued"]
        pacs.released.set()
        scene.clock.advance(verdict.delay_s)
        scene.until_finished(job.group())
    assert states_of(scene.engine, job) == ["delivered"] * 3
    assert pacs.received.count(job.sop_instance_uids[0]) == 1
    assert 503 in scene.heard.numbers()


def test_what_arrived_without_our_knowing_is_found_and_not_sent_twice(tmp_path: Path) -> None:
    with faulty_pacs([HANG]) as pacs:
        scene = Scene(tmp_path, pacs.peer(), patience=QUICK)
        job = scene.plan(objects=1)
        scene.courier.attempt(job.group())
        pacs.released.set()
        pacs.held[job.sop_instance_uids[0]] = b"it did store it"
        scene.clock.advance(60)
        assert scene.courier.attempt(job.group()).is_finished
    assert pacs.received == list(job.sop_instance_uids)
    assert states_of(scene.engine, job) == ["delivered"]


def test_an_acknowledged_object_that_is_never_listed_is_sent_again_after_the_deadline(
    tmp_path: Path,
) -> None:
    with faulty_pacs(forgets=True) as pacs:
        scene = Scene(tmp_path, pacs.peer(), confirm_deadline_s=600)
        job = scene.plan(objects=1)
        while len(pacs.received) == 1 or not pacs.received:
            verdict = scene.courier.attempt(job.group())
            assert states_of(scene.engine, job)[0] in {"sent", "queued"}
            assert verdict.delay_s is not None
            scene.clock.advance(verdict.delay_s)
        assert 600 < scene.clock() - START < 600 + 60 + 60 + 10
        pacs.forgets = False
        pacs.held[job.sop_instance_uids[0]] = b""
        scene.until_finished(job.group())
    assert states_of(scene.engine, job) == ["delivered"]


def test_a_peer_whose_queries_fail_is_asked_again_and_not_sent_to_again(tmp_path: Path) -> None:
    with faulty_pacs(find_status=0xC001) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=1)
        for _ in range(4):
            verdict = scene.courier.attempt(job.group())
            assert verdict.delay_s is not None
            scene.clock.advance(verdict.delay_s)
        (row,) = delivery_rows(scene.engine, job)
        assert (row.state, row.last_error) == ("sent", "status_C001")
        with reading(scene.engine) as c:
            assert health_of(c, "pacs").consecutive_failures == 0
        pacs.find_status = 0
        scene.until_finished(job.group())
    assert len(pacs.received) == 1
    assert states_of(scene.engine, job) == ["delivered"]


def test_a_query_that_never_works_leaves_a_dead_letter_after_72_hours(tmp_path: Path) -> None:
    with faulty_pacs(find_status=0xC001) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=1)
        scene.courier.attempt(job.group())
        scene.clock.advance(72 * 3600)
        assert scene.courier.attempt(job.group()).is_finished
    assert states_of(scene.engine, job) == ["dead"]


def test_a_peer_without_c_find_is_taken_at_its_word(tmp_path: Path) -> None:
    with faulty_pacs(offers_find=False) as pacs:
        scene = Scene(tmp_path, pacs.peer(can_find=True))
        job = scene.plan(objects=1)
        assert scene.courier.attempt(job.group()).is_finished
    (row,) = delivery_rows(scene.engine, job)
    assert (row.state, row.confirmed_by) == ("delivered", "c_store")


def test_a_dead_peer_is_tried_for_the_whole_time_and_then_waits_for_a_person(
    tmp_path: Path,
) -> None:
    nobody = DimsePeerSettings(name="pacs", ae_title="NOBODY", host=HOST, port=free_port())
    scene = Scene(tmp_path, nobody, give_up_after_h=5)
    job = scene.plan(objects=1)
    delays = scene.until_finished(job.group(), attempts=1000)
    lasted_h = (scene.clock() - START) / 3600
    assert 5 <= lasted_h < 5.6
    assert 5 <= delays[0] <= 10
    assert all(delay <= 990 for delay in delays)
    (row,) = delivery_rows(scene.engine, job)
    assert (row.state, row.last_error) == ("dead", "unreachable")
    assert scene.heard.numbers().count(505) == 1


def test_ten_rejects_leave_one_attempt_per_pause_of_7_to_15_minutes_whatever_waits(
    tmp_path: Path,
) -> None:
    with faulty_pacs(known_callers=["SOMEBODY"]) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        jobs = [scene.plan(name, objects=1) for name in "abcdefghijkl"]
        due_at = {job.group(): scene.clock() for job in jobs}
        failed_at: list[float] = []
        while scene.clock() - START < 3 * 3600:
            group = min(due_at, key=lambda one: due_at[one])
            scene.clock.now = max(scene.clock(), due_at[group])
            before = scene.heard.numbers().count(503)
            verdict = scene.courier.attempt(group)
            if scene.heard.numbers().count(503) > before:
                failed_at.append(scene.clock())
            assert verdict.delay_s is not None
            due_at[group] = scene.clock() + verdict.delay_s
        assert pacs.received == []
    later = failed_at[10:]
    assert 11 <= len(later) <= 24
    assert all(450 <= b - a <= 990 for a, b in zip(failed_at[9:], later, strict=False))
    assert scene.heard.numbers().count(506) == 1
    assert delivery_rows(scene.engine, jobs[0])[0].last_error == "rejected_calling_ae_title_unknown"


def test_the_breaker_closes_at_the_first_success(tmp_path: Path) -> None:
    with faulty_pacs([0xA700] * 10) as pacs:
        scene = Scene(tmp_path, pacs.peer(), longest_delay_s=10)
        job = scene.plan(objects=1)
        scene.until_finished(job.group())
    assert len(pacs.received) == 11
    assert states_of(scene.engine, job) == ["delivered"]
    assert [number for number in scene.heard.numbers() if number in {506, 507}] == [506, 507]


def test_a_person_who_sends_again_opens_the_way_for_one_attempt_at_once(tmp_path: Path) -> None:
    with faulty_pacs([0xA700] * 10) as pacs:
        scene = Scene(tmp_path, pacs.peer(), longest_delay_s=10)
        job = scene.plan(objects=1)
        for _ in range(10):
            scene.clock.advance(scene.courier.attempt(job.group()).delay_s or 0)
        assert 1 < scene.courier.attempt(job.group()).delay_s <= 10  # type: ignore[operator]
        with transaction(scene.engine) as c:
            assert resend(c, job.job_id, scene.clock())
            assert due(c, scene.clock()) == [job.group(generation=2)]
        assert scene.courier.attempt(job.group()).is_finished  # the old workflow has nothing left
        assert scene.courier.attempt(job.group(generation=2)).is_finished
    assert states_of(scene.engine, job) == ["delivered"]


def test_a_dead_destination_delays_no_other(tmp_path: Path) -> None:
    with faulty_pacs() as pacs, silent_server() as port:
        silent = DimsePeerSettings(name="silent", ae_title="SILENT", host=HOST, port=port)
        scene = Scene(tmp_path, silent, pacs.peer("pacs"), patience=ENDLESS)
        jobs = [scene.plan(name, destinations=["silent", "pacs"]) for name in "abcdef"]
        hanging = [
            threading.Thread(target=scene.courier.attempt, args=(job.group("silent"),))
            for job in jobs
        ]
        for thread in hanging:
            thread.start()
        # Those that find no free place go away again.
        eventually(lambda: sum(thread.is_alive() for thread in hanging) == SLOTS)
        for job in jobs:
            assert scene.courier.attempt(job.group("pacs")).is_finished
        assert sum(thread.is_alive() for thread in hanging) == SLOTS
    for thread in hanging:  # the silent one is gone
        thread.join(60)
        assert not thread.is_alive()
    for job in jobs:
        assert states_of(scene.engine, job, "pacs") == ["delivered"] * 2
        assert states_of(scene.engine, job, "silent") == ["queued"] * 2


def test_the_same_attempt_twice_at_once_ends_as_one_delivery(tmp_path: Path) -> None:
    with faulty_pacs() as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=4)
        threads = [
            threading.Thread(target=scene.courier.attempt, args=(job.group(),)) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        scene.until_finished(job.group())
        assert sorted(pacs.held) == list(job.sop_instance_uids)
    assert states_of(scene.engine, job) == ["delivered"] * 4


def test_nothing_is_sent_before_a_person_releases_it(tmp_path: Path) -> None:
    with faulty_pacs() as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(release="hold")
        assert scene.courier.attempt(job.group()).is_finished
        with transaction(scene.engine) as c:
            assert due(c, scene.clock()) == []
            assert release(c, job.job_id, scene.clock())
            (group,) = due(c, scene.clock())
        assert pacs.received == []
        assert scene.courier.attempt(group).is_finished
    assert states_of(scene.engine, job) == ["delivered"] * 2


def test_what_a_person_discards_is_not_sent(tmp_path: Path) -> None:
    with faulty_pacs([0xA700]) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=1)
        scene.courier.attempt(job.group())
        with transaction(scene.engine) as c:
            assert discard(c, job.job_id, scene.clock())
        scene.clock.advance(100)
        assert scene.courier.attempt(job.group()).is_finished
        assert len(pacs.received) == 1
    assert states_of(scene.engine, job) == ["discarded"]


def test_a_damaged_file_is_given_up_and_the_other_one_is_sent(tmp_path: Path) -> None:
    with faulty_pacs() as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan()
        damaged = job.paths[0]
        damaged.write_bytes(damaged.read_bytes()[:-100])
        assert scene.courier.attempt(job.group()).is_finished
    states = {row.sop_instance_uid: row for row in delivery_rows(scene.engine, job)}
    assert sorted(row.state for row in states.values()) == ["dead", "delivered"]
    assert len(pacs.received) == 1


def test_a_destination_that_left_the_settings_parks_its_deliveries(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    job = scene.plan(objects=1)
    assert scene.courier.attempt(job.group()).is_finished
    (row,) = delivery_rows(scene.engine, job)
    assert (row.state, row.last_error) == ("parked", "destination_unknown")


def test_no_event_names_a_patient_or_an_object(tmp_path: Path) -> None:
    with faulty_pacs([0xC000, 0x0122, 0xA700, ABORT]) as pacs:
        scene = Scene(tmp_path, pacs.peer())
        job = scene.plan(objects=4)
        scene.until_finished(job.group())
    told = repr(scene.heard.events)
    assert len(scene.heard.events) > 5
    for secret in ("CANARY", job.study_uid, job.series_uid, *job.sop_instance_uids, str(tmp_path)):
        assert secret not in told

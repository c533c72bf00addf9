"""What every kind of destination promises to deliveries, tried on a real server of each kind."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from pydicom import dcmread

from app.errors import PeerRefusedError, PeerUnreachableError, ServiceError
from app.node.delivery.attempt import Courier
from app.node.peers.destination import Destination, Reply
from app.node.peers.dimse import PATIENT, Patience
from app.node.peers.kinds import _KINDS, destination_of
from app.node.peers.statuses import Answer
from app.node.peers.store import StorableFile, read_storable
from app.settings.peers import PeerSettings
from tests.builders.destination_kinds import KINDS, Kind, ScriptedPacs
from tests.builders.faulty_pacs import ABORT, CLOSE, HANG, LOSE, silent_server
from tests.builders.orthanc import free_port
from tests.builders.planned_deliveries import (
    Heard,
    PlannedJob,
    VirtualClock,
    delivery_rows,
    journal_in,
    node_of,
    plan_job,
)

# pynetdicom drops the socket of a refused connection without closing it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

CALM = Patience(connect_s=30, association_s=30, message_s=30)
"""Where an answer comes: also from a busy machine."""
QUICK = Patience(connect_s=30, association_s=30, message_s=3)
"""Where none comes to one object, and one to the object before."""
OURS = "SPINENODE"


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@dataclass(frozen=True)
class Asked:
    """An object as it is asked for."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str = "1.2.840.10008.5.1.4.1.1.66.4"


class Desk:
    """A job's objects, and what a destination said of them."""

    def __init__(self, data: Path, **choices: object) -> None:
        self.engine = journal_in(data)
        self.job: PlannedJob = plan_job(self.engine, data, **choices)
        self.files = [read_storable(path) for path in self.job.paths]
        self.replies: list[tuple[StorableFile, Reply]] = []

    def note(self, file: StorableFile, reply: Reply) -> None:
        self.replies.append((file, reply))

    @property
    def answers(self) -> list[Answer]:
        return [reply.answer for _, reply in self.replies]

    def asked(self) -> list[Asked]:
        return [
            Asked(self.job.study_uid, self.job.series_uid, uid)
            for uid in self.job.sop_instance_uids
        ]


def to(pacs: ScriptedPacs, **changes: object) -> Destination:
    return destination_of(pacs.peer(**changes), OURS, CALM)


def test_every_kind_of_the_product_is_tried_here() -> None:
    assert set(KINDS) == set(_KINDS)


def test_objects_arrive_once_in_their_order_byte_for_byte_and_are_listed(
    tmp_path: Path, kind: Kind
) -> None:
    desk = Desk(tmp_path, objects=3)
    with kind() as pacs:
        destination = to(pacs)
        destination.echo()
        assert destination.holds(desk.asked()) == frozenset()
        destination.store(desk.files, desk.note)
        assert destination.holds(desk.asked()) == frozenset(desk.job.sop_instance_uids)
    assert [file for file, _ in desk.replies] == desk.files
    assert [reply for _, reply in desk.replies] == [Reply(answer=Answer.STORED, status=0)] * 3
    assert pacs.received == [file.sop_instance_uid for file in desk.files]
    for file in desk.files:
        held = pacs.held[file.sop_instance_uid]
        assert len(held) > 4000
        assert file.path.read_bytes().endswith(held)


STATUSES = {
    0xB000: Answer.STORED,
    0xB006: Answer.STORED,
    0x0111: Answer.STORED,
    0xA700: Answer.BUSY,
    0x0110: Answer.BUSY,
    0xA900: Answer.RETRY,
    0x0122: Answer.UNWANTED,
    0x0124: Answer.UNWANTED,
    0xC000: Answer.REFUSED,
    0x0000: Answer.STORED,
}


def test_a_status_means_the_same_by_every_way_and_stops_no_other_object(
    tmp_path: Path, kind: Kind
) -> None:
    desk = Desk(tmp_path, objects=len(STATUSES))
    with kind(list(STATUSES)) as pacs:
        to(pacs).store(desk.files, desk.note)
    assert [reply for _, reply in desk.replies] == [
        Reply(
            answer=answer,
            name="" if answer is Answer.STORED else f"status_{status:04X}",
            status=status,
        )
        for status, answer in STATUSES.items()
    ]


def test_a_kind_of_object_that_it_does_not_take_waits_for_a_person(
    tmp_path: Path, kind: Kind
) -> None:
    desk = Desk(tmp_path)
    with kind(takes_segmentations=False) as pacs:
        to(pacs).store(desk.files, desk.note)
    assert desk.answers == [Answer.UNWANTED] * 2
    assert pacs.held == {}


def test_where_rle_is_not_taken_the_same_pixels_go_uncompressed(tmp_path: Path, kind: Kind) -> None:
    desk = Desk(tmp_path, objects=2, is_compressed=True)
    with kind(takes_rle=False) as pacs:
        to(pacs).store(desk.files, desk.note)
    assert [(reply.answer, reply.is_uncompressed) for _, reply in desk.replies] == [
        (Answer.STORED, True)
    ] * 2
    for path in desk.job.paths:
        sent = dcmread(path)
        assert sent.pixel_array.tobytes() in pacs.held[sent.SOPInstanceUID]
        assert sent.PixelData not in pacs.held[sent.SOPInstanceUID]


def test_who_cannot_be_asked_or_shall_not_be_asked_says_nothing(tmp_path: Path, kind: Kind) -> None:
    desk = Desk(tmp_path)
    with kind(offers_find=False) as pacs:
        assert to(pacs).holds(desk.asked()) is None
    with kind() as pacs:
        assert to(pacs, can_find=False).holds(desk.asked()) is None
        assert pacs.finds == 0


def test_who_offers_no_storage_commitment_says_so(tmp_path: Path, kind: Kind) -> None:
    desk = Desk(tmp_path)
    with kind() as pacs:
        destination = to(pacs)
        assert not destination.commits
        assert not destination.commit("2.25.1", desk.asked(), lambda _report: None)


def test_a_question_that_fails_is_no_answer(tmp_path: Path, kind: Kind) -> None:
    desk = Desk(tmp_path)
    with kind(find_status=0xA700) as pacs, pytest.raises(ServiceError):
        to(pacs).holds(desk.asked())


@pytest.mark.parametrize("fault", [HANG, ABORT, CLOSE, LOSE])
def test_what_was_answered_before_a_fault_is_told_and_nothing_is_sent_behind_it(
    tmp_path: Path, kind: Kind, fault: str
) -> None:
    desk, patience = Desk(tmp_path, objects=3), QUICK if fault == HANG else CALM
    with kind([0x0000, fault]) as pacs, pytest.raises(PeerUnreachableError) as raised:
        destination_of(pacs.peer(), OURS, patience).store(desk.files, desk.note)
    assert raised.value.reasons == ("no_answer",)
    assert [file for file, _ in desk.replies] == desk.files[:1]
    assert pacs.received == [file.sop_instance_uid for file in desk.files[:2]]


def test_nobody_there_and_nobody_who_speaks_are_named(tmp_path: Path, kind: Kind) -> None:
    desk = Desk(tmp_path)

    def failures(peer: PeerSettings) -> set[str]:
        destination = destination_of(
            peer, OURS, Patience(connect_s=1, association_s=0.3, message_s=0.3)
        )
        found = set()
        for ask in (
            destination.echo,
            lambda: destination.store(desk.files, desk.note),
            lambda: destination.holds(desk.asked()),
        ):
            with pytest.raises(PeerUnreachableError) as raised:
                ask()
            found |= set(raised.value.reasons)
        return found

    began = time.monotonic()
    with kind() as pacs:
        assert failures(pacs.peer().model_copy(update=pacs.moved(free_port()))) == {"unreachable"}
        with silent_server() as port:
            assert failures(pacs.peer().model_copy(update=pacs.moved(port))) <= {
                "unreachable",
                "no_answer",
            }
    assert time.monotonic() - began < PATIENT.message_s / 2
    assert desk.replies == []


def test_what_the_caller_raises_ends_the_conversation_before_the_next_object(
    tmp_path: Path, kind: Kind
) -> None:
    desk = Desk(tmp_path)

    def fail(_file: StorableFile, _reply: Reply) -> None:
        raise KeyboardInterrupt

    with kind() as pacs, pytest.raises(KeyboardInterrupt):
        to(pacs).store(desk.files, fail)
    assert len(pacs.received) == 1


def test_an_answer_that_was_lost_is_asked_for_and_nothing_is_sent_twice(
    tmp_path: Path, kind: Kind
) -> None:
    desk, clock, heard = Desk(tmp_path, objects=4), VirtualClock(), Heard()
    with kind([0x0000, LOSE]) as pacs:
        courier = Courier(
            desk.engine,
            node_of(tmp_path, pacs.peer()),
            clock=clock,
            emit=heard,
            open_destination=partial(destination_of, patience=CALM),
        )
        for _ in range(10):
            delay_s = courier.attempt(desk.job.group()).delay_s
            if delay_s is None:
                break
            clock.advance(delay_s)
        found_by = to(pacs).found_by
    assert [row.state for row in delivery_rows(desk.engine, desk.job)] == ["delivered"] * 4
    assert {row.confirmed_by for row in delivery_rows(desk.engine, desk.job)} == {found_by}
    assert sorted(pacs.received) == sorted(desk.job.sop_instance_uids)


def test_who_refuses_us_is_named(kind: Kind) -> None:
    with kind(known_callers=["OTHER"]) as pacs, pytest.raises(PeerRefusedError) as raised:
        to(pacs).echo()
    assert raised.value.reasons[0] in {"rejected_calling_ae_title_unknown", "http_403"}

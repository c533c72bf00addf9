"""Attempts against a peer made of plain data: days pass at once, crashes hit every single step."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from app.errors import PeerUnreachableError
from app.node.delivery.attempt import Courier
from app.node.journal.deliveries import due
from app.node.journal.delivery_decisions import discard
from app.node.journal.engine import reading, transaction
from app.node.peers.destination import Locatable, Reply
from app.node.peers.statuses import Answer, answer_of
from app.node.peers.store import StorableFile
from app.settings.peers import DimsePeerSettings
from tests.builders.planned_deliveries import (
    START,
    Heard,
    PlannedJob,
    VirtualClock,
    delivery_rows,
    journal_in,
    node_of,
    plan_job,
    states_of,
)

PEER = DimsePeerSettings(name="pacs", ae_title="PACS", host="127.0.0.1", port=104)
LOST = -1


class KilledError(BaseException):
    """SIGKILL: no handler of the product may see it."""


class PlainPeer:
    """Answers as its script says, then stores; keeps and counts what it is sent."""

    echo_name, found_by, taken_by, commits = "nothing", "c_find", "c_store", False

    def __init__(self, script: Sequence[int] = ()) -> None:
        self.script = list(script)
        self.is_up: Callable[[], bool] = lambda: True
        self.held: set[str] = set()
        self.offered: Counter[str] = Counter()
        self.last_answer: dict[str, int] = {}
        self.step: Callable[[], None] = lambda: None

    def store(
        self, files: Sequence[StorableFile], on_reply: Callable[[StorableFile, Reply], None]
    ) -> None:
        self._connect()
        for file in files:
            uid = str(dcmread(file.path, stop_before_pixels=True).SOPInstanceUID)
            status = self.script.pop(0) if self.script else 0x0000
            self.offered[uid] += 1
            self.last_answer[uid] = status
            if answer_of(status) is Answer.STORED and status >= 0:
                self.held.add(uid)
            self.step()
            if status == LOST:
                raise PeerUnreachableError(reasons=("no_answer",))
            on_reply(file, Reply.of_status(status))

    def holds(self, objects: Sequence[Locatable]) -> frozenset[str]:
        self._connect()
        return frozenset(self.held)

    def echo(self) -> None:
        self._connect()

    def takes(self, sop_classes: Collection[str]) -> None:
        return None

    def commit(self, *_request: object) -> bool:
        return False

    def _connect(self) -> None:
        self.step()
        if not self.is_up():
            raise PeerUnreachableError(reasons=("unreachable",))


class Desk:
    """A journal with a job, a clock, a courier; the peer's `step` runs around its every write."""

    def __init__(self, data: Path, peer: PlainPeer, **choices: object) -> None:
        self.data, self.peer = data, peer
        self.engine = journal_in(data)
        self.clock, self.heard = VirtualClock(), Heard()
        self.job = self.plan("a", **choices)
        self.courier = self.hire()

    def hire(self) -> Courier:
        engine = self.engine.execution_options()
        for moment in ("begin", "commit"):
            sa.event.listen(engine, moment, self._step)
        return Courier(
            engine,
            node_of(self.data, PEER),
            clock=self.clock,
            emit=self.heard,
            open_destination=lambda _peer, _ours: self.peer,
        )

    def _step(self, connection: sa.Connection) -> None:
        if not connection.get_execution_options().get("reads_only", False):
            self.peer.step()

    def plan(self, name: str, **choices: object) -> PlannedJob:
        return plan_job(self.engine, self.data, name, now=self.clock(), **choices)

    def finish(self, limit: int = 2000) -> int:
        """Attempts until nothing is left."""
        group = self.job.group()
        for number in range(1, limit):
            verdict = self.courier.attempt(group)
            if verdict.delay_s is None:
                newest = max(row.generation for row in delivery_rows(self.engine, self.job))
                if newest == group.generation:
                    return number
                group = self.job.group(generation=newest)  # hurried on: a workflow of its own
                continue
            assert 0.2 <= verdict.delay_s <= 1800
            self.clock.advance(verdict.delay_s)
        raise AssertionError("never finished")


def test_a_peer_down_for_71_hours_still_gets_everything(tmp_path: Path) -> None:
    peer = PlainPeer()
    desk = Desk(tmp_path, peer)
    peer.is_up = lambda: desk.clock() - START > 71 * 3600
    desk.finish()
    assert states_of(desk.engine, desk.job) == ["delivered"] * 2
    assert set(peer.offered.values()) == {1}
    assert desk.clock() - START < 71.6 * 3600


def test_a_peer_down_for_72_hours_leaves_dead_letters_with_the_reason(tmp_path: Path) -> None:
    peer = PlainPeer()
    desk = Desk(tmp_path, peer)
    peer.is_up = lambda: False
    desk.finish()
    assert 72 <= (desk.clock() - START) / 3600 < 72.6
    rows = delivery_rows(desk.engine, desk.job)
    assert [(row.state, row.last_error) for row in rows] == [("dead", "unreachable")] * 2
    # Pauses of 7.5 to 15 minutes, as without the breaker.
    assert 350 <= desk.heard.numbers().count(503) <= 420


def test_a_peer_that_is_down_10_minutes_of_every_hour_gets_50_jobs(tmp_path: Path) -> None:
    peer = PlainPeer()
    desk = Desk(tmp_path, peer)
    peer.is_up = lambda: (desk.clock() - START) % 3600 > 600
    desk.finish()
    for number in range(49):
        desk.clock.advance(431)
        desk.job = desk.plan(f"job {number}")
        desk.finish()
    assert len(peer.held) == 100
    assert set(peer.offered.values()) == {1}
    assert 505 not in desk.heard.numbers()


@pytest.mark.parametrize("jump_s", [-3600, 3600])
def test_a_clock_that_jumps_by_an_hour_stops_no_delivery(tmp_path: Path, jump_s: float) -> None:
    peer = PlainPeer([0xA700] * 12)
    desk = Desk(tmp_path, peer, objects=1)
    for _ in range(11):
        desk.clock.advance(desk.courier.attempt(desk.job.group()).delay_s or 0)
    desk.clock.advance(jump_s)
    before = desk.clock()
    desk.finish()
    assert states_of(desk.engine, desk.job) == ["delivered"]
    assert desk.clock() - before < 3 * 1000


@pytest.mark.parametrize(("lost_at", "attempts"), [(4, 1), (5, 2)])
def test_a_file_that_goes_away_before_or_while_it_is_sent_ends_as_a_dead_letter(
    tmp_path: Path, lost_at: int, attempts: int
) -> None:
    peer = PlainPeer()
    desk = Desk(tmp_path, peer, objects=1)
    (path,) = desk.job.paths
    steps: list[int] = []

    def lose_at_the_connection() -> None:
        steps.append(0)
        if len(steps) == lost_at:  # breaker and count of the attempt: two steps each
            path.unlink()

    peer.step = lose_at_the_connection
    assert desk.finish() == attempts
    (row,) = delivery_rows(desk.engine, desk.job)
    assert (row.state, row.last_error) == ("dead", "file_missing_or_damaged")
    assert peer.held == set()


def test_what_is_discarded_just_before_it_is_sent_is_not_sent(tmp_path: Path) -> None:
    peer = PlainPeer()
    desk = Desk(tmp_path, peer, objects=1)
    decided: list[bool] = []

    def decide() -> None:
        if not decided:
            with transaction(desk.engine) as c:
                decided.append(discard(c, desk.job.job_id, desk.clock()))

    peer.step = decide
    assert desk.finish() == 1
    assert decided == [True]
    assert sum(peer.offered.values()) == 0
    assert states_of(desk.engine, desk.job) == ["discarded"]


def test_a_group_that_was_woken_too_early_sends_nothing_and_waits_the_rest(tmp_path: Path) -> None:
    peer = PlainPeer([0xA700])
    desk = Desk(tmp_path, peer, objects=1)
    first = desk.courier.attempt(desk.job.group()).delay_s
    desk.clock.advance(2)
    second = desk.courier.attempt(desk.job.group()).delay_s
    assert first is not None
    assert second == pytest.approx(first - 2)
    assert sum(peer.offered.values()) == 1


@pytest.mark.parametrize("script", [[0x0000] * 3, [0x0000, LOST, 0x0000], [0xA700, 0x0000, 0xB000]])
def test_a_crash_at_any_step_loses_nothing_and_sends_nothing_twice(
    tmp_path: Path, script: list[int]
) -> None:
    kill_at = 0
    steps_seen = 10**6
    while kill_at < steps_seen:
        kill_at += 1
        data = tmp_path / str(kill_at)
        peer = PlainPeer(script)
        desk = Desk(data, peer, objects=2)
        count = 0

        def step(limit: int = kill_at) -> None:
            nonlocal count
            count += 1
            if count == limit:
                raise KilledError

        peer.step = step
        try:
            desk.finish()
            steps_seen = count
        except KilledError:
            desk.courier = desk.hire()
            with reading(desk.engine) as c:
                open_ones = {"queued", "sent"} & set(states_of(desk.engine, desk.job))
                assert not open_ones or due(c, desk.clock() + 2000) == [desk.job.group()]
            desk.finish()
        assert states_of(desk.engine, desk.job) == ["delivered"] * 2
        assert peer.held == set(desk.job.sop_instance_uids)
        # An object is offered again only where the peer had not kept it.
        repeats = sum(peer.offered.values()) - 2
        assert repeats <= sum(answer_of(status) is not Answer.STORED for status in script)
        desk.engine.dispose()
        shutil.rmtree(data)
    assert steps_seen > 12


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.sampled_from([0x0000, 0xB000, 0x0111, 0xA700, 0xA900, 0x0110, 0xC000, 0x0122, LOST]),
        max_size=12,
    )
)
def test_whatever_a_peer_answers_every_object_ends_where_its_last_answer_says(
    script: list[int],
) -> None:
    ends = {
        Answer.STORED: "delivered",
        Answer.REFUSED: "dead",
        Answer.UNWANTED: "parked",
    }
    with tempfile.TemporaryDirectory() as folder:
        peer = PlainPeer(script)
        desk = Desk(Path(folder), peer, objects=3)
        desk.finish()
        rows = delivery_rows(desk.engine, desk.job)
        desk.engine.dispose()
    for row in rows:
        assert row.state == ends[answer_of(peer.last_answer[row.sop_instance_uid])]
        assert (row.state == "delivered") == (row.sop_instance_uid in peer.held)


class PatientPeer(PlainPeer):
    """Takes nothing, and says for how long."""

    pause_s = 0.0

    def store(
        self, files: Sequence[StorableFile], on_reply: Callable[[StorableFile, Reply], None]
    ) -> None:
        for file in files:
            on_reply(file, Reply(answer=Answer.BUSY, name="http_503", retry_after_s=self.pause_s))


@pytest.mark.parametrize(("asked_s", "waits_s"), [(600.0, 600.0), (86_400.0, 900.0)])
def test_a_peer_is_left_alone_for_as_long_as_it_asks_within_the_sites_longest_pause(
    tmp_path: Path, asked_s: float, waits_s: float
):
    peer = PatientPeer()
    peer.pause_s = asked_s
    desk = Desk(tmp_path, peer)
    assert desk.courier.attempt(desk.job.group()).delay_s == pytest.approx(waits_s)

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import pytest

from app.errors import PeerUnreachableError
from app.node.intake.origin import OriginDesk, Questions
from app.node.journal.series import SeriesMark
from app.node.telemetry.events import Event
from app.settings import NodeSettings
from tests.builders.virtual_intake import AtOnce

MARK = SeriesMark(
    series_uid="1.2.3.1",
    study_uid="1.2.3",
    state="receiving",
    revision=1,
    calling_ae_title="SCANNER",
    called_ae_title="SPINENODE",
    modality="MR",
    last_instance_at=0.0,
    last_activity_at=0.0,
    expected_count=None,
    expected_source=None,
    is_broken_off=False,
    is_forced=False,
)


def peer(name: str, ae_title: str, **changes: object) -> dict[str, object]:
    return {"name": name, "ae_title": ae_title, "host": "h", "port": 104, **changes}


@dataclass
class Bench:
    desk: OriginDesk
    now: list[float]
    asked: list[tuple[float, str]] = field(default_factory=list)
    told: list[tuple[int, dict[str, object]]] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)

    def count_at(self, now: float) -> int | None:
        self.now[0] = now
        return self.desk.count(MARK)


def a_bench(**node: object) -> Bench:
    now = [0.0]

    def emit(event: Event, **values: object) -> None:
        bench.told.append((event.number, values))

    def ask(one: object, *_: object) -> object:
        bench.asked.append((now[0], one.name))  # type: ignore[attr-defined]
        answer = bench.answers.pop(0) if bench.answers else 7
        if isinstance(answer, Exception):
            raise answer
        return answer

    desk = OriginDesk(
        node=NodeSettings(**node),
        executor=AtOnce(),
        monotonic=lambda: now[0],
        emit=emit,
        key_of=lambda _: "key",
        questions=Questions(ask, ask),
    )
    bench = Bench(desk, now)
    return bench


def test_the_peer_with_the_senders_title_is_asked_unless_the_route_names_another():
    peers = [peer("scanner", "SCANNER"), peer("pacs", "PACS")]
    assert a_bench(peers=peers).desk.origin_of(MARK).name == "scanner"
    routed = a_bench(peers=peers, routes=[{"calling_ae_title": "SCANNER", "origin": "pacs"}])
    assert routed.desk.origin_of(MARK).name == "pacs"
    stranger = replace(MARK, calling_ae_title="OTHER")
    assert routed.desk.origin_of(stranger) is None


@pytest.mark.parametrize("peers", [[], [peer("scanner", "SCANNER", can_find=False)]])
def test_where_nobody_can_be_asked_nobody_is_waited_for(peers: list[dict[str, object]]):
    bench = a_bench(peers=peers)
    assert bench.count_at(0.0) is None
    assert not bench.desk.may_still_tell(MARK)
    assert bench.asked == []


def test_questions_about_one_series_are_2_4_8_s_apart_and_at_most_60_s():
    bench = a_bench(peers=[peer("scanner", "SCANNER")])
    for tenth in range(4000):
        bench.count_at(tenth / 10)
    at = [now for now, _ in bench.asked]
    assert at == [0.0, 2.0, 6.0, 14.0, 30.0, 62.0, 122.0, 182.0, 242.0, 302.0, 362.0]


def test_something_new_is_asked_about_at_once():
    bench = a_bench(peers=[peer("scanner", "SCANNER")])
    assert [bench.count_at(now) for now in (0.0, 1.0)] == [7, None]
    assert not bench.desk.may_still_tell(MARK)
    bench.desk.ask_soon(MARK.series_uid)
    assert bench.desk.may_still_tell(MARK)
    assert bench.count_at(1.0) == 7


def test_a_question_that_runs_is_not_asked_again_and_its_answer_is_given_once():
    bench = a_bench(peers=[peer("scanner", "SCANNER")])
    slow: Future[int] = Future()
    bench.desk.executor.submit = lambda *_: slow  # type: ignore[method-assign]
    assert [bench.count_at(now) for now in (0.0, 5.0)] == [None, None]
    assert bench.desk.may_still_tell(MARK)
    slow.set_result(12)
    assert bench.count_at(5.5) == 12
    assert not bench.desk.may_still_tell(MARK)


def test_a_peer_that_does_not_answer_is_left_alone_for_30_s_whatever_the_series():
    bench = a_bench(peers=[peer("scanner", "SCANNER")])
    bench.answers = [PeerUnreachableError()]
    assert bench.count_at(0.0) is None
    assert bench.told == [(322, {"peer": "scanner", "error": "SPN-9300"})]
    other = replace(MARK, series_uid="1.2.3.2")
    bench.now[0] = 29.0
    assert bench.desk.count(other) is None
    assert not bench.desk.may_still_tell(other)
    assert len(bench.asked) == 1
    bench.now[0] = 30.0
    assert bench.desk.count(other) == 7


def test_a_repair_is_asked_for_at_once_then_after_1_10_and_60_minutes():
    bench = a_bench(peers=[peer("scanner", "SCANNER", can_move=True)])
    at = []
    for second in range(0, 20_000, 5):
        bench.now[0] = float(second)
        if bench.desk.repair(MARK):
            at.append(second)
    assert at[0] == 0
    assert at[1:] == [60, 660, 4260]
    assert [number for number, _ in bench.told] == [323] * 4


def test_a_peer_that_cannot_move_is_not_asked_to():
    bench = a_bench(peers=[peer("scanner", "SCANNER")])
    assert not bench.desk.repair(MARK)


def test_what_is_known_of_a_series_is_dropped_when_it_moves_on():
    bench = a_bench(peers=[peer("scanner", "SCANNER", can_move=True)])
    bench.count_at(0.0)
    bench.desk.repair(MARK)
    bench.desk.forget(set(), {MARK.series_uid})
    assert bench.desk.may_still_tell(MARK)
    bench.desk.forget(set(), set())
    assert bench.desk.repair(MARK)

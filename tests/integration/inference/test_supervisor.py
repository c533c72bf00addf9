"""A real child process that crashes, hangs, hoards, babbles; the supervisor's answer to each."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from app.errors import InferenceLostError
from app.node.inference.protocol import Request
from app.node.inference.supervisor import Supervisor
from app.node.telemetry.events import Event
from app.settings import WorkerSettings
from operators.dicom.identity.provenance import Predecessor
from tests.builders.mr_series import make_series
from tests.builders.stub_inference_child import COMMAND
from tests.builders.waiting import comes_true

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ECHO = "echo-1"


def request(job_id: str, folder: Path = Path("nowhere"), **changes: object) -> Request:
    return Request(
        job_id=job_id, source=folder / "in", output=folder / "out", started=STARTED, **changes
    )


class Told:
    """Events as a list of (number, reason or profile)."""

    def __init__(self) -> None:
        self.events: list[tuple[int, str]] = []

    def __call__(self, event: Event, **values: object) -> None:
        assert values.keys() <= set(event.fields)
        self.events.append((event.number, str(values.get("reason", values.get("profile")))))


def supervised(
    work: Callable[[Supervisor], object],
    *options: str,
    told: Told | None = None,
    start_timeout_s: float = 90,
    **settings: object,
) -> None:
    """Run a coroutine function with a supervisor of the stub child; nothing may be left over."""

    async def run() -> None:
        supervisor = Supervisor(
            (*COMMAND, *options),
            WorkerSettings(**settings),
            told or Told(),
            start_timeout_s=start_timeout_s,
        )
        try:
            await work(supervisor)
        finally:
            await supervisor.close()

    asyncio.run(run())
    assert [p.pid for p in psutil.Process().children(recursive=True)] == []


def tell(begun: asyncio.Event) -> Callable[[str, float], object]:
    """Set the event at the first progress, which comes from the supervisor's thread."""
    loop = asyncio.get_running_loop()
    return lambda _step, _fraction: loop.call_soon_threadsafe(begun.set)


def is_alive(pid: int) -> bool:
    """A zombie that nobody has waited for yet counts as dead."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_fifty_requests_are_served_by_one_child():
    async def work(supervisor: Supervisor) -> None:
        pids = {(await supervisor.run(request(ECHO)))["pid"] for _ in range(50)}
        assert pids == {supervisor.pid}

    told = Told()
    supervised(work, told=told)
    assert told.events == [(401, "stub")]


def test_a_result_lies_on_disk_and_progress_was_told(tmp_path: Path):
    make_series(tmp_path / "in", slices=5)

    async def work(supervisor: Supervisor) -> None:
        steps: list[tuple[str, float]] = []
        record = await supervisor.run(
            request("0a", tmp_path), lambda step, fraction: steps.append((step, fraction))
        )
        assert record["exit_code"] == 0
        assert steps == [("stub_step", fraction) for fraction in (0.25, 0.5, 0.75, 1.0)]
        names = record["series"][0]["files"]
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)

    supervised(work)


@pytest.mark.parametrize(
    ("word", "limit", "reason"),
    [
        ("freeze", {"inference_idle_s": 1}, "hung"),
        ("spin", {"inference_stall_s": 1, "inference_idle_s": 1}, "stalled"),
    ],
)
def test_a_child_that_gets_nowhere_is_killed_long_before_its_time_is_over(
    word: str, limit: dict[str, float], reason: str
):
    async def work(supervisor: Supervisor) -> None:
        begun = time.monotonic()
        with pytest.raises(InferenceLostError) as lost:
            await supervisor.run(request(f"{word}-1"))
        assert lost.value.reasons == (reason,)
        assert 1 < time.monotonic() - begun < WorkerSettings().inference_timeout_s / 4
        assert (await supervisor.run(request(ECHO)))["exit_code"] == 0

    supervised(work, **limit)


def test_a_repeat_gives_the_same_bytes_and_a_predecessor_another_object(tmp_path: Path):
    make_series(tmp_path / "in", slices=5)
    before = Predecessor(kind="semantic", study_uid="1", series_uid="2", sop_instance_uid="3")

    async def work(supervisor: Supervisor) -> None:
        contents = []
        for replaced in ((), (), (before,)):
            await supervisor.run(request("0a", tmp_path, predecessors=replaced))
            contents.append([p.read_bytes() for p in sorted((tmp_path / "out").iterdir())])
        assert contents[0] == contents[1] != contents[2]

    supervised(work)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("segv", "signal 11"),
        ("kill", "signal 9"),
        ("exit", "exit 3"),
        ("error", "exit 70, SPN-9400"),
        ("garbage", "protocol"),
        ("stranger", "protocol"),
        ("endless", "protocol"),
        ("memory", "memory"),
        ("hang", "timeout"),
        ("freeze", "timeout"),
    ],
)
def test_a_lost_child_is_named_and_the_next_request_finds_a_new_one(word: str, reason: str):
    async def work(supervisor: Supervisor) -> None:
        first = (await supervisor.run(request(ECHO)))["pid"]
        with pytest.raises(InferenceLostError) as caught:
            await supervisor.run(request(f"{word}-1"))
        assert ", ".join(caught.value.reasons) == reason
        assert caught.value.retryable
        assert not is_alive(first)
        assert (await supervisor.run(request(ECHO)))["pid"] != first

    told = Told()
    timeout_s = 2.0 if reason == "timeout" else 60.0
    supervised(work, told=told, inference_timeout_s=timeout_s, memory_limit_mb=500)
    assert told.events == [(401, "stub"), (402, reason), (401, "stub")]


def test_the_last_words_of_a_child_reach_the_one_who_asked():
    async def work(supervisor: Supervisor) -> None:
        with pytest.raises(InferenceLostError, match=r"exit 70, SPN-9400: internal error$"):
            await supervisor.run(request("error-1"))

    supervised(work)


def test_a_cancelled_request_kills_the_child_and_its_children_at_once():
    async def work(supervisor: Supervisor) -> None:
        await supervisor.run(request(ECHO))
        pid = supervisor.pid
        assert pid is not None
        task = asyncio.create_task(supervisor.run(request("grandchild-1")))
        child = psutil.Process(pid)
        assert await asyncio.to_thread(comes_true, lambda: bool(child.children()))
        family = [pid, child.children()[0].pid]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not psutil.pid_exists(pid)  # what is reported as cancelled has ended
        assert comes_true(lambda: not any(map(is_alive, family)))  # they would live for an hour
        assert (await supervisor.run(request(ECHO)))["pid"] != pid

    told = Told()
    supervised(work, told=told)
    assert told.events == [(401, "stub"), (401, "stub")]


def test_a_request_cancelled_while_it_waits_its_turn_disturbs_nobody(tmp_path: Path):
    done = tmp_path / "done"

    async def work(supervisor: Supervisor) -> None:
        await supervisor.start()
        pid = supervisor.pid
        begun = asyncio.Event()
        first = asyncio.create_task(supervisor.run(request(ECHO), tell(begun)))
        await begun.wait()
        second = asyncio.create_task(supervisor.run(request("hang-1")))
        await asyncio.sleep(0.1)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        done.touch()
        assert (await first)["pid"] == supervisor.pid == pid

    supervised(work, "--until", str(done))


def test_an_idle_child_that_dies_is_replaced_before_anybody_asks():
    async def work(supervisor: Supervisor) -> None:
        first = (await supervisor.run(request(ECHO)))["pid"]
        os.kill(first, signal.SIGKILL)
        replaced = lambda: supervisor.ready is not None and supervisor.pid != first  # noqa: E731
        assert await asyncio.to_thread(comes_true, replaced)
        assert (await supervisor.run(request(ECHO)))["pid"] == supervisor.pid != first

    told = Told()
    supervised(work, told=told)
    assert told.events == [(401, "stub"), (402, "signal 9"), (401, "stub")]


def test_requests_wait_their_turn_and_come_from_any_event_loop():
    async def work(supervisor: Supervisor) -> None:
        def elsewhere() -> int:
            return asyncio.run(supervisor.run(request(ECHO)))["pid"]

        answers = await asyncio.gather(
            asyncio.to_thread(elsewhere),
            asyncio.to_thread(elsewhere),
            supervisor.run(request(ECHO)),
        )
        assert {a if isinstance(a, int) else a["pid"] for a in answers} == {supervisor.pid}

    supervised(work, "--work", "0.1")


def test_models_that_do_not_load_are_named_at_every_request():
    async def work(supervisor: Supervisor) -> None:
        for _ in range(2):
            with pytest.raises(InferenceLostError, match="SPN-2000: the model folder"):
                await supervisor.run(request(ECHO))

    told = Told()
    supervised(work, "--refuse-start", told=told)
    assert told.events == [(402, "start, exit 20, SPN-2000")] * 2


def test_why_no_child_comes_up_is_known_until_one_does(tmp_path: Path):
    broken = tmp_path / "broken"
    broken.touch()
    script = f'test -e {broken} && exec "$@" --refuse-start; exec "$@"'

    async def work() -> None:
        supervisor = Supervisor(("/bin/sh", "-c", script, "sh", *COMMAND), WorkerSettings())
        try:
            assert supervisor.start_failure == ()  # still loading, for all anybody knows
            with pytest.raises(InferenceLostError):
                await supervisor.start()
            assert supervisor.start_failure == ("start", "exit 20", "SPN-2000")
            broken.unlink()
            await supervisor.start()
            assert supervisor.start_failure == ()
        finally:
            await supervisor.close()

    asyncio.run(work())


def test_a_start_that_hangs_is_given_up():
    async def work(supervisor: Supervisor) -> None:
        with pytest.raises(InferenceLostError) as caught:
            await supervisor.start()
        assert caught.value.reasons == ("start", "start_timeout")

    supervised(work, "--hang-at-start", start_timeout_s=0.5)


def test_a_program_that_does_not_exist_is_named():
    async def work() -> None:
        supervisor = Supervisor(("/nonexistent/child",), WorkerSettings())
        with pytest.raises(InferenceLostError, match="cannot be started"):
            await supervisor.start()
        await supervisor.close()

    asyncio.run(work())


def test_close_ends_a_request_in_mid_work_and_refuses_later_ones():
    async def work(supervisor: Supervisor) -> None:
        await supervisor.start()
        begun = asyncio.Event()
        task = asyncio.create_task(supervisor.run(request("busy-1"), tell(begun)))
        await begun.wait()
        await asyncio.wait_for(supervisor.close(), 60)  # it would work for an hour
        with pytest.raises(InferenceLostError) as caught:
            await task
        assert caught.value.reasons == ("closed",)
        with pytest.raises(InferenceLostError, match="closed"):
            await supervisor.run(request(ECHO))

    supervised(work, inference_idle_s=3600)  # it sleeps, which is to be noticed by `close` alone


def test_an_error_of_the_listener_to_progress_is_passed_on():
    def refuse(step: str, _fraction: float) -> None:
        raise LookupError(step)

    async def work(supervisor: Supervisor) -> None:
        with pytest.raises(LookupError, match="stub_step"):
            await supervisor.run(request(ECHO), refuse)
        await supervisor.run(request(ECHO))

    supervised(work)


def test_a_parent_killed_by_sigkill_leaves_no_child():
    script = (
        "import asyncio, sys, time\n"
        "from pathlib import Path\n"
        "from app.node.inference.supervisor import Supervisor\n"
        "from app.settings import WorkerSettings\n"
        "s = Supervisor(sys.argv[1:], WorkerSettings())\n"
        "asyncio.run(s.start())\n"
        "print(s.pid, flush=True)\n"
        "time.sleep(3600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *COMMAND], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    assert comes_true(lambda: not is_alive(child))


def test_sigterm_to_the_child_alone_does_not_end_its_work():
    async def work(supervisor: Supervisor) -> None:
        await supervisor.start()
        pid = supervisor.pid
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        assert (await supervisor.run(request(ECHO)))["pid"] == pid

    supervised(work)

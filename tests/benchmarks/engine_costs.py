"""What decides how much the job engine is given to do: ``python -m tests.benchmarks.engine_costs``.

Each question is a process of its own, since a process has one engine (its name as argument asks it
alone). They answer: what a step that the engine tries again keeps of every failure; what it costs
to submit a workflow, and one that the engine has; what a workflow that sleeps costs; and how fast
arrivals are committed while an engine works, in the journal's file and in one of its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import psutil
import sqlalchemy as sa
from dbos import DBOS, DBOSConfiguredInstance

from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.work.engine import Engine, Lane
from tests.builders.journal_rows import insert
from tests.builders.waiting import eventually

NAME, INSTANCE, QUEUE = "costs", "here", "work"
TRIES: Final = 1000
WARM_TRIES: Final = 100
SLEEPERS: Final = 200
SUBMITTED: Final = 100
PAIRS: Final = 5
PAIR_S: Final = 3.0
STEPS: Final = 6
"""Of a job and its delivery."""


@DBOS.dbos_class(NAME)
class Workflows(DBOSConfiguredInstance):
    """Workflows that do nothing of use."""

    def __init__(self) -> None:
        super().__init__(config_name=INSTANCE)
        self.asleep = 0
        self.ended = 0
        self.act: Callable[[], None] = lambda: None

    @DBOS.workflow(name="sleep")
    async def sleep(self, seconds: int) -> None:
        self.asleep += 1
        await DBOS.sleep_async(seconds)

    @DBOS.workflow(name="steps")
    async def steps(self, count: int) -> None:
        for _ in range(count):
            await self.step()
        self.ended += 1

    @DBOS.workflow(name="tried")
    async def tried(self, _count: int) -> None:
        await self.fail()

    @DBOS.step(name="step")
    async def step(self) -> None:
        self.act()

    @DBOS.step(name="fail", retries_allowed=True, max_attempts=TRIES + 1, interval_seconds=0)
    async def fail(self) -> None:
        self.act()


@contextmanager
def running(url: str) -> Iterator[tuple[Engine, Workflows]]:
    """An engine that works."""
    engine = Engine(
        name=NAME, instance=INSTANCE, executor_id="one", version="1",
        lanes=(Lane(QUEUE, 100_000, 0.1),),
    )  # fmt: skip
    engine.configure(url)
    workflows = Workflows()
    engine.start()
    try:
        yield engine, workflows
    finally:
        engine.stop()


def ask_retries(folder: Path) -> str:
    """The engine's own tries again, at an error of the journal as the node's steps meet it."""
    journal, sizes, count = open_journal(journal_url(folder, None)), [], 0

    def fail() -> None:
        nonlocal count
        count += 1
        if count in {WARM_TRIES, TRIES}:
            sizes.append(tracemalloc.get_traced_memory()[0])
        if count <= TRIES:
            with transaction(journal) as c:
                c.execute(sa.text("SELECT * FROM away"))

    with running(f"sqlite:///{folder / 'queue.db'}") as (engine, workflows):
        workflows.act = fail
        tracemalloc.start()
        engine.submit(QUEUE, "tried", "t", 0)
        eventually(lambda: count > TRIES, 300)
    kept = (sizes[1] - sizes[0]) / (TRIES - WARM_TRIES)
    return f"a failed try of a step keeps {kept / 1024:.1f} KiB until the step ends"


def ask_submitting(folder: Path) -> str:
    with running(f"sqlite:///{folder / 'queue.db'}") as (engine, _):
        spent = []
        for _turn in range(2):
            begin = time.perf_counter()
            for number in range(SUBMITTED):
                engine.submit(QUEUE, "sleep", str(number), 3600)
            spent.append((time.perf_counter() - begin) / SUBMITTED * 1e3)
    return f"submitting takes {spent[0]:.1f} ms, of what the engine has {spent[1]:.1f} ms"


def ask_sleepers(folder: Path) -> str:
    me = psutil.Process()
    with running(f"sqlite:///{folder / 'queue.db'}") as (engine, workflows):
        engine.submit(QUEUE, "sleep", "first", 3600)
        eventually(lambda: workflows.asleep == 1, 60)
        before, threads = me.memory_info().rss, me.num_threads()
        for number in range(SLEEPERS):
            engine.submit(QUEUE, "sleep", str(number), 3600)
        eventually(lambda: workflows.asleep > SLEEPERS, 300)
        each = (me.memory_info().rss - before) / SLEEPERS / 1024
        more = me.num_threads() - threads
    return f"a workflow that sleeps takes {each:.0f} KiB; {SLEEPERS} of them {more} more threads"


def ask_files(folder: Path) -> str:
    """Arrivals per second beside an engine in the journal's file, and beside one in its own."""
    rates: dict[str, list[float]] = {"journal.db": [], "queue.db": []}
    for pair in range(PAIRS):
        for name, measured in rates.items():
            place = folder / f"{pair}-{name}"
            place.mkdir()
            journal = open_journal(journal_url(place, None))
            command = (sys.executable, "-m", __spec__.name, "load", f"sqlite:///{place / name}")
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
                assert load.stdout is not None
                assert load.stdout.readline() == "works\n"
                measured.append(arrivals_per_s(journal))
                load.kill()
            journal.dispose()
    apart, together = (median(rates[name]) for name in ("queue.db", "journal.db"))
    spread = max(rates["queue.db"]) / min(rates["queue.db"])
    return (
        f"arrivals committed beside a working engine: {apart:.0f}/s with two files,"
        f" {together:.0f}/s with one ({together / apart - 1:+.0%});"
        f" fastest over slowest run with two files {spread:.2f}"
    )


def arrivals_per_s(journal: sa.Engine) -> float:
    """Rows of received objects, each committed by itself, as before an answer to a C-STORE."""
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < PAIR_S:
        uid = str(count)
        # One that is locked out for 30 s, and would be answered 0xA700, ends the benchmark.
        with transaction(journal) as c:
            insert(c, "instance", sop_instance_uid=uid, path=uid)
        count += 1
    return count / (time.perf_counter() - begin)


def load(url: str) -> None:
    """Work until killed: workflows of a few steps, ten at a time."""
    with running(url) as (engine, workflows):
        for turn in range(1_000_000):
            for number in range(10):
                engine.submit(QUEUE, "steps", f"{turn}-{number}", STEPS)
            expected = 10 * (turn + 1)
            eventually(lambda expected=expected: workflows.ended >= expected, 300)
            if turn == 0:
                sys.stdout.write("works\n")
                sys.stdout.flush()


QUESTIONS: Final[dict[str, Callable[[Path], str]]] = {
    "retries": ask_retries,
    "submitting": ask_submitting,
    "sleepers": ask_sleepers,
    "files": ask_files,
}


def main() -> None:
    match sys.argv[1:]:
        case ["load", url]:
            load(url)
        case [question]:
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
                sys.stdout.write(f"{QUESTIONS[question](Path(folder))}\n")
        case _:
            for question in QUESTIONS:
                subprocess.run((sys.executable, "-m", __spec__.name, question), check=True)


if __name__ == "__main__":
    main()

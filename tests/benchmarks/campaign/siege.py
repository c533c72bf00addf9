"""A node under load, and faults inflicted on it one after the other until time or number is up.

Two senders that never give up, the node's real listener and worker with stand-in networks, a line
that can fail, and a foreign PACS at its end. Afterwards everything has to be there, once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.benchmarks.campaign import judging
from tests.benchmarks.campaign.disturbance import Disturbance
from tests.benchmarks.campaign.judging import Findings, Pacs
from tests.builders import dcmqrscp
from tests.builders.counting_pacs import TITLE, CountingPacs
from tests.builders.faulty_line import FaultyLine, faulty_line
from tests.builders.killable_node import Journal, KillableNode, killable_node
from tests.builders.node_processes import ENVIRONMENT, ROOT, NodeProcess
from tests.builders.orthanc import PROGRAM, running_orthanc
from tests.builders.served_node import served_node
from tests.builders.stubborn_sender import StubbornSender
from tests.builders.waiting import comes_true
from tests.builders.warm_start import warm_parent

MOST_WAITING: Final = 6
"""Series that are sent and not yet segmented before the senders pause."""
LONGEST_BREATH_S: Final = 5.0
CUTS: Final = 0.05
"""Share of the PACS's answers at which the line is cut."""
QUIET: Final = "SELECT 1 FROM delivery WHERE state IN ('queued', 'sent') LIMIT 1"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One part. `times`: faults to inflict; `studies`: most studies to send."""

    folder: Path
    seed: int
    times: int
    studies: int
    deadline_s: float
    settle_s: float = 900.0


@dataclass
class Site:
    """What faults are inflicted on."""

    folder: Path
    node: KillableNode
    pacs: Pacs
    line: FaultyLine
    steps: Path
    disturbance: Disturbance | None = None
    senders: list[StubbornSender] = field(default_factory=list)
    second: NodeProcess | None = None
    """Another worker."""

    def processes(self) -> list[NodeProcess]:
        """Everybody who is to run."""
        second = [self.second] if self.second else []
        return [self.node.listener, self.node.worker, *second]

    def revive(self) -> None:
        """As `serve` does: who ended is started again."""
        for process in self.processes():
            if has_ended(process):
                process.kill()
                process.start()
                process.wait_ready()

    def series(self) -> list[str]:
        """Every series that was acknowledged whole."""
        return [uid for sender in self.senders for uid in sender.series]

    def held(self) -> int:
        """Objects at the PACS; 0 while it does not answer."""
        try:
            return self.pacs.count_instances()
        except httpx.HTTPError:
            return 0

    def disturbed(self) -> Disturbance:
        assert self.disturbance is not None
        return self.disturbance


def has_ended(process: NodeProcess) -> bool:
    """Nobody is there."""
    return process.process is None or process.process.poll() is not None


Inflict = Callable[[Site, random.Random], int]
"""Do it; how often it was done, 0 where there was nothing to hit."""


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How a site differs from the plain one.

    `steps`: processes die at steps; `is_served`: `serve` starts them; `disturbs`: disk and clock
    misbehave; `keeps`: and power can fail; `settings`: sections of the node's settings;
    `sender`: attributes of the senders; `work_s`: what a series takes; `journal`: where it is no
    SQLite file, and two workers share it.
    """

    steps: bool = False
    is_served: bool = False
    disturbs: bool = False
    keeps: bool = False
    cuts: float = CUTS
    most_waiting: int = MOST_WAITING
    settings: Mapping[str, Any] = field(default_factory=dict)
    sender: Mapping[str, Any] = field(default_factory=dict)
    work_s: float = 0.2
    journal: Journal | None = None


def has_pacs() -> bool:
    """Whether one of the foreign PACS is installed."""
    return Path(PROGRAM).exists() or bool(dcmqrscp.PROGRAM)


def running_pacs(folder: Path) -> AbstractContextManager[Pacs]:
    """Orthanc, or dcmqrscp where there is no Orthanc."""
    if Path(PROGRAM).exists():
        return running_orthanc(folder, OverwriteInstances=False)
    return dcmqrscp.running_dcmqrscp(folder, TITLE)


@contextmanager
def running_site(folder: Path, seed: int, habits: Habits) -> Iterator[Site]:
    """Everything, up and ready."""
    with ExitStack() as stack:
        pacs = stack.enter_context(running_pacs(folder))
        line = stack.enter_context(faulty_line(pacs.dicom_port, seed, cuts=habits.cuts))
        steps = folder / "steps"
        steps.mkdir(parents=True, exist_ok=True)
        disturbance = None
        if habits.disturbs:
            disturbance = Disturbance(folder / "disturbance", folder / "data", habits.keeps)
        told = ENVIRONMENT | (disturbance.environment if disturbance else {})
        parent = None if habits.is_served else stack.enter_context(warm_parent(ROOT, told))
        node = stack.enter_context(
            served_node(folder, CountingPacs(port=line.port), **habits.settings)
            if habits.is_served
            else killable_node(
                folder,
                CountingPacs(port=line.port),
                child=("--work", str(habits.work_s)),
                through=("tests.benchmarks.campaign.steps", str(steps)) if habits.steps else (),
                parent=parent,
                **habits.settings,
            )
        )
        site = Site(folder, node, pacs, line, steps, disturbance)
        if habits.journal is not None:
            node.journal = habits.journal
            command, log = node.worker.command, folder / "second-worker.log"
            site.second = NodeProcess("worker", command, log, parent=parent)
            stack.callback(site.second.kill)
            site.second.start()
            site.second.wait_ready()
        yield site


def siege(plan: Plan, faults: Mapping[str, Inflict], habits: Habits | None = None) -> Findings:
    """Inflict faults in a drawn order, each as often as the others, and judge what is left.

    Without faults only the traffic is tried, until all studies are sent.
    """
    found, chosen = Findings(), habits or Habits()
    stop = threading.Event()
    with running_site(plan.folder, plan.seed, chosen) as site:
        site.senders += _senders(site, plan, chosen, stop)
        try:
            for sender in site.senders:
                sender.start()
            _inflict(site, plan, faults, found)
        finally:
            stop.set()
            site.line.heal()
            site.revive()
            for sender in site.senders:
                if not sender.join(120):
                    found.note("stuck", f"sender {sender.prefix} never finished its series")
                found.times.update({k: n for k, n in sender.tally.items() if n and not faults})
        _settle(site, plan.settle_s)
        _judge(site, found)
    return found


def _senders(site: Site, plan: Plan, habits: Habits, stop: threading.Event) -> list[StubbornSender]:
    senders: list[StubbornSender] = []

    def may_go_on() -> bool:
        begun = sum(sender.begun for sender in senders)
        waiting = len(site.series()) - site.held() // 2
        return begun < plan.studies and waiting < habits.most_waiting

    for index, prefix in enumerate(("left", "right")):
        sender = StubbornSender(
            f"{prefix}-{plan.seed}",
            site.folder / "outgoing",
            site.node.listener.port,
            stop,
            seed=2 * plan.seed + index,
            may_go_on=may_go_on,
            **habits.sender,
        )
        senders.append(sender)
    return senders


def _inflict(site: Site, plan: Plan, faults: Mapping[str, Inflict], found: Findings) -> None:
    generator = random.Random(plan.seed)  # noqa: S311 - for repeatability, no secret
    end = time.monotonic() + plan.deadline_s
    order: list[str] = []

    def goes_on() -> bool:
        is_over = len(site.series()) >= plan.studies and site.held() >= 2 * plan.studies
        is_enough = bool(faults) and found.times.total() >= plan.times
        return time.monotonic() < end and not is_over and not is_enough

    while goes_on():
        if not faults:
            time.sleep(0.2)
            continue
        if not order:
            order = generator.sample(sorted(faults), len(faults))
        name, began = order.pop(), time.monotonic()
        found.times[name] += faults[name](site, generator)
        # Work gets on between two faults, however slow the machine is.
        took_s = time.monotonic() - began
        time.sleep(generator.uniform(0, min(took_s / 2, LONGEST_BREATH_S)))


def _settle(site: Site, limit_s: float) -> None:
    """Let the node finish what is left."""
    series = site.series()
    comes_true(
        lambda: site.held() >= 2 * len(series) and not site.node.journal.has(QUIET),
        limit_s,
        every_s=0.5,
    )


def _judge(site: Site, found: Findings) -> None:
    series = site.series()
    held = judging.held_by(site.pacs)
    judging.check_objects(site.node, site.senders, found)
    judging.check_results(held, series, found)
    judging.check_books(site.node, held, found)
    judging.check_rest(site.node, found)
    found.traffic["answers of the PACS cut off"] += site.line.cut


def do_at(
    site: Site, query: str, generator: random.Random, act: Callable[[], Any], *, limit_s: float = 5
) -> int:
    """Act when the journal has a row for the query, or soon after; or at any time (no query).

    Where no row comes in time, nothing is done: it is tried again later.
    """
    if query:
        if not comes_true(lambda: site.node.journal.has(query), limit_s, every_s=0.003):
            return 0
        # The states that follow within milliseconds are hit, too.
        time.sleep(generator.choice((0, 0, 0.005, 0.02, 0.1)))
    else:
        time.sleep(generator.uniform(0, 1))
    return int(act() is not False)

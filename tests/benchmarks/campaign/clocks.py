"""A time of day that jumps, and processes that stand still."""

from __future__ import annotations

import random
import signal
import time
from functools import partial
from typing import Final

from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.siege import Habits, Inflict, Plan, Site, has_ended, siege
from tests.builders.node_processes import NodeProcess

HOUR_S: Final = 3600.0


def jump(seconds: float, site: Site, generator: random.Random) -> int:
    """Set the clock of all processes; it stays so until the next jump."""
    site.disturbed().set_clock(seconds)
    time.sleep(generator.uniform(0.5, 3.0))
    site.revive()
    return 1


def stop(role: str, site: Site, generator: random.Random) -> int:
    """SIGSTOP, longer than the worker's lease of 2 s or shorter, then SIGCONT."""
    process: NodeProcess = getattr(site.node, role)
    if has_ended(process) or process.process is None:
        return 0
    process.process.send_signal(signal.SIGSTOP)
    time.sleep(generator.uniform(0.2, 4.0))
    process.process.send_signal(signal.SIGCONT)
    return 1


def stop_inference(site: Site, generator: random.Random) -> int:
    """The inference process stands still in the middle of a job."""
    children = site.node.worker.children()
    for child in children:
        child.suspend()
    time.sleep(generator.uniform(0.2, 3.0))
    for child in children:
        child.resume()
    return bool(children)


FAULTS: Final[dict[str, Inflict]] = {
    "clock one hour ahead": partial(jump, HOUR_S),
    "clock one hour behind": partial(jump, -HOUR_S),
    "clock one day ahead": partial(jump, 24 * HOUR_S),
    "clock right again": partial(jump, 0.0),
    "listener stopped (SIGSTOP) for up to 4 s": partial(stop, "listener"),
    "worker stopped (SIGSTOP) for up to 4 s": partial(stop, "worker"),
    "inference stopped (SIGSTOP) for up to 3 s": stop_inference,
}


def run(plan: Plan) -> Findings:
    return siege(plan, FAULTS, Habits(disturbs=True))

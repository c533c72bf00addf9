"""kill -9 of the node's processes: at any time, at states seen in the journal, at every step."""

from __future__ import annotations

import random
import time
from functools import partial
from typing import Final

from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.siege import Habits, Inflict, Plan, Site, do_at, siege
from tests.benchmarks.campaign.steps import STEPS, mark_of
from tests.builders.waiting import comes_true

KILL_POINTS: Final[dict[str, tuple[str, str]]] = {
    "listener, any time": ("listener", ""),
    "listener, series arriving": (
        "listener",
        "SELECT 1 FROM series WHERE state = 'receiving' LIMIT 1",
    ),
    "worker, any time": ("worker", ""),
    "worker, series complete or about to be": (
        "worker",
        "SELECT 1 FROM series WHERE state = 'receiving' LIMIT 1",
    ),
    "worker, job made or queued": (
        "worker",
        "SELECT 1 FROM job WHERE state IN ('waiting', 'queued') LIMIT 1",
    ),
    "worker, job running": ("worker", "SELECT 1 FROM job WHERE state = 'running' LIMIT 1"),
    "inference, job running": ("inference", "SELECT 1 FROM job WHERE state = 'running' LIMIT 1"),
    "worker, result to be sent": (
        "worker",
        "SELECT 1 FROM delivery WHERE state = 'queued' LIMIT 1",
    ),
    "worker, result sent": ("worker", "SELECT 1 FROM delivery WHERE state = 'sent' LIMIT 1"),
    "listener and worker": ("both", ""),
}
"""Name -> (who is killed, query that must find a row first)."""

STARTING_S: Final = 1.0
"""Within this time of its start a process is killed again, s: before it is ready or just after."""
STEP_WITHIN_S: Final = 30.0
"""A step that nobody comes by in this time is tried again later, s."""


def kill(who: str, query: str, site: Site, generator: random.Random) -> int:
    """Kill a process and start it again."""
    return do_at(site, query, generator, lambda: site.node.kill(who))


def kill_starting(site: Site, generator: random.Random) -> int:
    """Kill both, and once more while they take up what the first ones left."""

    def start_and_kill() -> None:
        for process in site.processes():
            process.start()
        time.sleep(generator.uniform(0, STARTING_S))
        for process in site.processes():
            process.kill()

    return int(site.node.kill("both", start_and_kill))


def die_at(name: str, site: Site, _generator: random.Random) -> int:
    """Have the next process that comes by a step die there, and start it again."""
    mark = mark_of(site.steps, name)
    mark.touch()
    if not comes_true(lambda: not mark.exists(), STEP_WITHIN_S, every_s=0.01):
        mark.unlink(missing_ok=True)
        return 0
    role = STEPS[name].role
    if role != "inference":  # the worker starts that one itself
        site.node.kill(role)
    return 1


RANDOM: Final[dict[str, Inflict]] = {
    **{name: partial(kill, *point) for name, point in KILL_POINTS.items()},
    "listener and worker, again while they start": kill_starting,
}
AT_STEPS: Final[dict[str, Inflict]] = {name: partial(die_at, name) for name in STEPS}


def run_random(plan: Plan) -> Findings:
    return siege(plan, RANDOM)


def run_at_steps(plan: Plan) -> Findings:
    return siege(plan, AT_STEPS, Habits(steps=True))

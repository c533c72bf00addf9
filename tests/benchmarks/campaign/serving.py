"""kill -9 of `serve` with all or none of its processes, of its page; `serve` told to end."""

from __future__ import annotations

import random
import threading
import time
from functools import partial
from typing import Final

from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.kills import KILL_POINTS
from tests.benchmarks.campaign.siege import Habits, Inflict, Plan, Site, do_at, siege
from tests.builders.served_node import END_S, ServedNode

ARRIVING: Final = KILL_POINTS["listener, series arriving"][1]
RUNNING: Final = KILL_POINTS["worker, job running"][1]
TO_BE_SENT: Final = KILL_POINTS["worker, result to be sent"][1]
PAGES: Final = ("/", "/studies", "/deliveries", "/metrics", "/api/attention")
ANSWER_WITHIN_S: Final = 0.1
"""A page that is asked for is answered, or its process dies, in this time, s."""


def served(site: Site) -> ServedNode:
    assert isinstance(site.node, ServedNode)
    return site.node


def kill(who: str, query: str, site: Site, generator: random.Random) -> int:
    """Kill it and, where nobody else does, start it again."""
    return do_at(site, query, generator, lambda: site.node.kill(who))


def tell_to_end(query: str, site: Site, generator: random.Random) -> int:
    """SIGTERM: it ends all others in order, and is started again."""
    node = served(site)

    def act() -> None:
        node.serve.terminate(END_S)
        node.restart()

    return do_at(site, query, generator, act)


def kill_asked_page(site: Site, generator: random.Random) -> int:
    """The page dies while it answers; nothing depends on it."""
    node = served(site)
    asking = threading.Thread(target=node.ask_page, args=(generator.choice(PAGES),), daemon=True)
    asking.start()
    time.sleep(generator.uniform(0, ANSWER_WITHIN_S))
    was_there = node.kill("web")
    asking.join()
    return int(was_there)


FAULTS: Final[dict[str, Inflict]] = {
    "serve and its processes, any time": partial(kill, "tree", ""),
    "serve and its processes, series arriving": partial(kill, "tree", ARRIVING),
    "serve and its processes, job running": partial(kill, "tree", RUNNING),
    "serve and its processes, result to be sent": partial(kill, "tree", TO_BE_SENT),
    "serve alone, any time": partial(kill, "serve", ""),
    "serve alone, job running": partial(kill, "serve", RUNNING),
    "serve told to end (SIGTERM), job running": partial(tell_to_end, RUNNING),
    "page, any time": partial(kill, "web", ""),
    "page, while it answers": kill_asked_page,
    "listener, left to serve": partial(kill, "listener", ""),
    "worker, left to serve": partial(kill, "worker", RUNNING),
}


def run(plan: Plan) -> Findings:
    return siege(plan, FAULTS, Habits(is_served=True))

"""A PACS that is slow, silent, closed, refusing, frozen or killed, while results are on the way."""

from __future__ import annotations

import random
import time
from functools import partial
from typing import Final

from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.siege import Habits, Inflict, Plan, Site, do_at, siege

UNDER_WAY: Final = "SELECT 1 FROM delivery WHERE state IN ('queued', 'sent') LIMIT 1"


def spoil(attribute: str, value: float, site: Site, generator: random.Random) -> int:
    """Have the line misbehave for a while."""

    def act() -> None:
        setattr(site.line, attribute, value)
        time.sleep(generator.uniform(0.5, 4.0))
        site.line.heal()

    return do_at(site, UNDER_WAY, generator, act)


def freeze(site: Site, generator: random.Random) -> int:
    """It accepts connections and says nothing."""

    def act() -> None:
        site.pacs.pause()
        time.sleep(generator.uniform(0.5, 4.0))
        site.pacs.resume()

    return do_at(site, UNDER_WAY, generator, act)


def restart(site: Site, generator: random.Random) -> int:
    """kill -9 of the PACS; it comes back with what it had acknowledged."""

    def act() -> None:
        site.pacs.kill()
        time.sleep(generator.uniform(0.0, 3.0))
        site.pacs.start()

    return do_at(site, UNDER_WAY, generator, act)


FAULTS: Final[dict[str, Inflict]] = {
    "slow: 0.5 s before every piece": partial(spoil, "delay_s", 0.5),
    "silent: nothing passes any more": partial(spoil, "is_silent", 1),
    "closed: connections are reset": partial(spoil, "is_closed", 1),
    "refuses every association": partial(spoil, "rejects", 1),
    "frozen (SIGSTOP)": freeze,
    "killed (SIGKILL) and started again": restart,
}


def run(plan: Plan) -> Findings:
    return siege(plan, FAULTS, Habits(cuts=0.2))

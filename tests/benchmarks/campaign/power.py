"""Power loss: everybody is killed, and what was not synchronised is forgotten.

See `disturbance` for what that covers.
"""

from __future__ import annotations

import random
from functools import partial
from typing import Final

from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.kills import KILL_POINTS
from tests.benchmarks.campaign.siege import Habits, Inflict, Plan, Site, do_at, siege


def lose(query: str, site: Site, generator: random.Random) -> int:
    """Kill all processes, take away what is not on the disk, start them again."""
    disturbance = site.disturbed()

    def act() -> bool:
        return site.node.kill("both", lambda: disturbance.lose_power(generator))

    return do_at(site, query, generator, act)


FAULTS: Final[dict[str, Inflict]] = {
    "any time": partial(lose, ""),
    **{
        moment: partial(lose, KILL_POINTS[name][1])
        for moment, name in (
            ("series arriving", "listener, series arriving"),
            ("job made or queued", "worker, job made or queued"),
            ("job running", "worker, job running"),
            ("result to be sent", "worker, result to be sent"),
            ("result sent", "worker, result sent"),
        )
    },
}


def run(plan: Plan) -> Findings:
    return siege(plan, FAULTS, Habits(disturbs=True, keeps=True))

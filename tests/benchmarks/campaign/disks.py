"""A disk that is full or read-only, and databases that somebody holds locked."""

from __future__ import annotations

import errno
import random
import sqlite3
import time
from contextlib import closing
from functools import partial
from typing import Final

from app.node.journal.engine import BUSY_TIMEOUT_S
from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.kills import KILL_POINTS
from tests.benchmarks.campaign.siege import Habits, Inflict, Plan, Site, do_at, siege

RUNNING: Final = KILL_POINTS["worker, job running"][1]
SHORT_S: Final = (0.2, 3.0)
"""How long a fault lasts, s."""
LONG_S: Final = (BUSY_TIMEOUT_S + 2.0, BUSY_TIMEOUT_S + 5.0)


def refuse(error: int, site: Site, generator: random.Random) -> int:
    """Refuse every write for a while; a process that ended is started again."""
    site.disturbed().refuse(error)
    try:
        time.sleep(generator.uniform(*SHORT_S))
    finally:
        site.disturbed().refuse(0)
    site.revive()
    return 1


def refuse_at_work(error: int, site: Site, generator: random.Random) -> int:
    """Refuse every write from the middle of a job to beyond its end."""

    def act() -> None:
        site.disturbed().refuse(error)
        time.sleep(generator.uniform(1.0, SHORT_S[1]))
        site.disturbed().refuse(0)

    return do_at(site, RUNNING, generator, act)


def refuse_at_start(error: int, site: Site, generator: random.Random) -> int:
    """Kill both, and start them while every write is refused; then it heals."""

    def start_refused() -> None:
        site.disturbed().refuse(error)
        for process in site.processes():
            process.start()
        time.sleep(generator.uniform(1.0, 4.0))
        site.disturbed().refuse(0)
        for process in site.processes():
            process.kill()

    site.node.kill("both", start_refused)
    return 1


def lock(name: str, span_s: tuple[float, float], site: Site, generator: random.Random) -> int:
    """Hold the write lock of a database for a while."""
    path = site.node.data / name
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return 0
        time.sleep(generator.uniform(*span_s))
        other.execute("ROLLBACK")
    return 1


FAULTS: Final[dict[str, Inflict]] = {
    "disk full for up to 3 s": partial(refuse, errno.ENOSPC),
    "disk read-only for up to 3 s": partial(refuse, errno.EROFS),
    "disk fails (EIO) for up to 3 s": partial(refuse, errno.EIO),
    "disk full from the middle of a job to beyond its end": partial(refuse_at_work, errno.ENOSPC),
    "disk read-only from the middle of a job to beyond its end": partial(
        refuse_at_work, errno.EROFS
    ),
    "disk full while the processes start": partial(refuse_at_start, errno.ENOSPC),
    "journal locked for up to 3 s": partial(lock, "journal.db", SHORT_S),
    "database of the engine locked for up to 3 s": partial(lock, "queue.db", SHORT_S),
    "journal locked beyond every wait for it": partial(lock, "journal.db", LONG_S),
    "database of the engine locked beyond every wait for it": partial(lock, "queue.db", LONG_S),
}


def run(plan: Plan) -> Findings:
    return siege(plan, FAULTS, Habits(disturbs=True))

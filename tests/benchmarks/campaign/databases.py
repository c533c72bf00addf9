"""Journal and engine in PostgreSQL, two workers: one dies for good, the database goes away."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from app.node.journal.engine import journal_url
from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.kills import KILL_POINTS
from tests.benchmarks.campaign.siege import Habits, Inflict, Plan, Site, do_at, siege
from tests.builders.killable_node import Journal
from tests.builders.node_processes import NodeProcess
from tests.builders.postgres import PostgresServer, postgres_server

RUNNING: Final = KILL_POINTS["worker, job running"][1]
LEASE_S: Final = 2.0
"""Of a worker in this site, s: the other one takes over after it."""


@dataclass
class PostgresJournal(Journal):
    """The node's journal, read from outside."""

    engine: sa.Engine = field(kw_only=True)

    def rows(self, query: str, *_values: str) -> list[tuple]:
        try:
            with self.engine.connect() as connection:
                return [tuple(row) for row in connection.execute(sa.text(query))]
        except OperationalError:
            return []  # the database is away


def one_of_two(site: Site, generator: random.Random) -> NodeProcess:
    assert site.second is not None
    return generator.choice((site.node.worker, site.second))


def kill_one(away_s: float, site: Site, generator: random.Random) -> int:
    """Kill a worker in the middle of a job, and start another one later."""
    process = one_of_two(site, generator)

    def act() -> None:
        process.kill()
        time.sleep(away_s)
        process.start()
        process.wait_ready()

    return do_at(site, RUNNING, generator, act)


def stop_one(site: Site, generator: random.Random) -> int:
    """A worker stands still beyond its lease; when it goes on its work has a new owner."""
    process = one_of_two(site, generator)

    def act() -> None:
        if process.process is not None:
            process.process.send_signal(signal.SIGSTOP)
            time.sleep(2 * LEASE_S)
            process.process.send_signal(signal.SIGCONT)

    return do_at(site, RUNNING, generator, act)


def kill_listener(site: Site, generator: random.Random) -> int:
    return do_at(site, "", generator, lambda: site.node.kill("listener"))


def restarts(server: PostgresServer, away_s: float, query: str) -> Inflict:
    """End the server at once, without a checkpoint; start it again later."""

    def inflict(site: Site, generator: random.Random) -> int:
        def act() -> None:
            server.crash()
            time.sleep(away_s)
            server.start()
            site.revive()

        return do_at(site, query, generator, act)

    return inflict


def faults_of(server: PostgresServer) -> dict[str, Inflict]:
    """Fault -> who inflicts it."""
    return {
        "one of two workers killed, another started at once": partial(kill_one, 0.0),
        "one of two workers dead beyond its lease": partial(kill_one, 3 * LEASE_S),
        "one of two workers stopped beyond its lease, then goes on": stop_one,
        "listener killed": kill_listener,
        "database restarted while a job runs": restarts(server, 0.0, RUNNING),
        "database restarted at any time": restarts(server, 0.0, ""),
        "database away for 5 s": restarts(server, 5.0, ""),
    }


FAULTS: Final = tuple(faults_of(PostgresServer(Path(), 0)))


def run(plan: Plan) -> Findings:
    with postgres_server() as server:
        url = server.new_database()
        engine = sa.create_engine(journal_url(Path(), url), pool_pre_ping=True)
        journal = PostgresJournal(plan.folder, engine=engine)
        habits = Habits(settings={"database_url": url}, journal=journal)
        try:
            return siege(plan, faults_of(server), habits)
        finally:
            engine.dispose()

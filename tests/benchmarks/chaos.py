"""kill -9 of the node's processes while series stream in and results stream out.

Real listener and worker, real SQLite, real sockets; only the networks are a stand-in. Processes
are killed at random times and at states seen in the journal. Afterwards everything has to be
there, once: every acknowledged object with its bytes, two segmentations per series at the PACS,
never two identifiers for one result, never two contents for one identifier.

Run: ``python -m tests.benchmarks.chaos --kills 1000 [--seed 1] [--keep FOLDER]``.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.builders.counting_pacs import CountingPacs, counting_pacs
from tests.builders.killable_node import KillableNode, killable_node
from tests.builders.stubborn_sender import StubbornSender, data_set_bytes
from tests.builders.waiting import comes_true

KILL_POINTS: dict[str, tuple[str, str]] = {
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


MOST_WAITING = 6
"""Series that are sent and not yet segmented before the senders pause."""

KINDS_OF_WRONG = ("objects lost", "results lost", "duplicate results", "stuck")


@dataclass
class Findings:
    """What was wrong and how much was tried. Empty `wrong`: nothing was lost or doubled."""

    kills: Counter[str] = field(default_factory=Counter)
    series: int = 0
    acknowledged: int = 0
    results: int = 0
    stores_at_pacs: int = 0
    broken_associations: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    def note(self, kind: str, detail: str) -> None:
        self.wrong.setdefault(kind, []).append(detail)

    def as_text(self) -> str:
        lines = [
            f"{sum(self.kills.values())} kills in {self.seconds:.0f} s:",
            *(f"  {count:5d}  {name}" for name, count in sorted(self.kills.items())),
            f"{self.series} series, {self.acknowledged} acknowledged objects",
            f"{self.results} segmentations at the PACS in {self.stores_at_pacs} C-STOREs",
            f"{self.broken_associations} associations broken by the PACS",
            *(f"{kind}: {len(self.wrong.get(kind, []))}" for kind in KINDS_OF_WRONG),
        ]
        lines += [f"  {kind}: {text}" for kind, all_ in self.wrong.items() for text in all_[:5]]
        return "\n".join(lines)


def torture(
    node: KillableNode, *, kills: int, seed: int, deadline_s: float, found: Findings
) -> None:
    """Kill so many times, or until the time is up."""
    generator = random.Random(seed)  # noqa: S311 - for repeatability, no secret
    end = time.monotonic() + deadline_s
    order: list[str] = []
    while sum(found.kills.values()) < kills and time.monotonic() < end:
        if not order:
            order = generator.sample(sorted(KILL_POINTS), len(KILL_POINTS))
        name = order.pop()
        who, query = KILL_POINTS[name]
        if query:
            comes_true(lambda query=query: node.journal.has(query), 3, every_s=0.003)
            # The states that follow within milliseconds are hit, too.
            time.sleep(generator.choice((0, 0, 0.005, 0.02, 0.1)))
        else:
            time.sleep(generator.uniform(0, 1))
        found.kills[name] += node.kill(who)


def run(folder: Path, *, kills: int, seed: int, deadline_s: float, settle_s: float) -> Findings:
    """Torture a node and count what is missing or double.

    `deadline_s`: for the kills; `settle_s`: for the work that is left after the last one.
    """
    found, begun = Findings(), time.monotonic()
    stop = threading.Event()
    with counting_pacs(hiccups=0.05) as pacs, killable_node(folder, pacs) as node:
        senders: list[StubbornSender] = []

        def is_keeping_up() -> bool:
            sent = sum(len(sender.series) for sender in senders)
            return sent - len(pacs.by_source_series()) < MOST_WAITING

        for index, prefix in enumerate(("left", "right")):
            sender = StubbornSender(prefix, folder / "outgoing", node.listener.port, stop)
            sender.seed, sender.may_go_on = seed + index, is_keeping_up
            senders.append(sender)
        try:
            for sender in senders:
                sender.start()
            torture(node, kills=kills, seed=seed, deadline_s=deadline_s, found=found)
        finally:
            stop.set()
            for sender in senders:
                if not sender.join(60):
                    found.note("stuck", f"sender {sender.prefix} never finished its series")
        series = [uid for sender in senders for uid in sender.series]
        complete = lambda: all(  # noqa: E731
            len(pacs.by_source_series().get(uid, ())) >= 2 for uid in series
        )
        quiet = "SELECT 1 FROM delivery WHERE state IN ('queued', 'sent') LIMIT 1"
        comes_true(lambda: complete() and not node.journal.has(quiet), settle_s, every_s=0.2)
        found.seconds = time.monotonic() - begun
        check_objects(node, senders, found)
        check_results(pacs, series, found)
        check_rest(node, found)
    return found


def check_objects(node: KillableNode, senders: list[StubbornSender], found: Findings) -> None:
    """Every acknowledged object is in the journal and in the spool, byte for byte."""
    held = {uid: (digest, path) for uid, digest, path in node.journal.rows(
        "SELECT sop_instance_uid, digest, path FROM instance WHERE state = 'stored'"
    )}  # fmt: skip
    for sender in senders:
        found.acknowledged += len(sender.acknowledged)
        for uid, digest in sender.acknowledged.items():
            known, path = held.get(uid, ("", ""))
            file = node.data / "spool" / path
            if not known:
                found.note("objects lost", "acknowledged and not in the journal")
            elif not file.is_file():
                found.note("objects lost", "acknowledged and not in the spool")
            elif {known, hashlib.sha256(data_set_bytes(file)).hexdigest()} != {digest}:
                found.note("objects lost", "acknowledged and kept with other bytes")


def check_results(pacs: CountingPacs, series: list[str], found: Findings) -> None:
    """Two segmentations per series, each with one identifier and one content."""
    found.series, found.stores_at_pacs = len(series), sum(pacs.arrivals.values())
    found.broken_associations = pacs.breaks
    at_pacs = pacs.by_source_series()
    found.results = sum(map(len, at_pacs.values()))
    for uid in series:
        kinds = Counter(item.description for item in at_pacs.get(uid, ()))
        for kind in ("SPINEPS semantic", "SPINEPS instances"):
            if not kinds[kind]:
                found.note("results lost", f"a series without {kind}")
            elif kinds[kind] > 1:
                found.note("duplicate results", f"{kinds[kind]} x {kind} for one series")
    if unknown := at_pacs.keys() - set(series):
        found.note("duplicate results", f"results of {len(unknown)} series nobody sent")
    for contents in pacs.contents.values():
        if len(contents) > 1:
            found.note("duplicate results", f"{len(contents)} contents under one UID")


def check_rest(node: KillableNode, found: Findings) -> None:
    """Nothing is left half done: no job, no delivery, no temporary file."""
    for table, good in (
        ("job", "'succeeded'"),
        ("delivery", "'delivered'"),
        ("series", "'accepted'"),
    ):
        query = f"SELECT state, count(*) FROM {table} WHERE state NOT IN ({good}) GROUP BY state"  # noqa: S608 - constants
        for state, count in node.journal.rows(query):
            found.note("stuck", f"{count} x {table} {state}")
    jobs, series = (
        node.journal.rows(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - constants
        for table in ("job", "series")
    )
    if jobs != series:
        found.note("duplicate results", f"{jobs} jobs for {series} series")
    if left := list((node.data / "spool" / "incoming").iterdir()):
        found.note("stuck", f"{len(left)} temporary files in the spool")


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--kills", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--hours", type=float, default=8, help="give up after")
    options.add_argument("--keep", type=Path, help="folder for data and logs; default: temporary")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = run(
            folder,
            kills=chosen.kills,
            seed=chosen.seed,
            deadline_s=chosen.hours * 3600,
            settle_s=600,
        )
    sys.stdout.write(found.as_text() + "\n")
    sys.exit(bool(found.wrong))


if __name__ == "__main__":
    main()

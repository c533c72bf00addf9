"""Try to make the node lose or double something: ``python -m tests.benchmarks.campaign``.

``run``: parts that have not been run, one after the other, until the time is up; call it again to
go on. ``keep``: put the parts of a folder into the results that the repository keeps. ``report``:
the page about them. A part is one family of faults with one seed, at most 45 minutes. The exit code
of ``run`` is 1 where something was wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.campaign.parts import (
    LONGEST_PART_S,
    Part,
    keep_part,
    read_parts,
    read_results,
    write_results,
)
from tests.benchmarks.campaign.report import RESULTS, page_of
from tests.benchmarks.campaign.siege import Plan
from tests.benchmarks.campaign.table import FAMILIES, missing_for


def run_part(name: str, seed: int, chosen: argparse.Namespace, left_s: float) -> Part:
    """One part. Its data and logs stay where something was wrong."""
    family, begun = FAMILIES[name], time.monotonic()
    folder = chosen.results / "work" / f"{name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    times = chosen.times or family.times
    plan = Plan(
        folder=folder,
        seed=seed,
        times=times,
        studies=chosen.studies,
        deadline_s=min(left_s, LONGEST_PART_S),
    )
    found = family.run(plan)
    if not found.wrong:
        shutil.rmtree(folder)
    return Part.of(
        found,
        family=name,
        seed=seed,
        date=datetime.now(UTC).date().isoformat(),
        seconds=round(time.monotonic() - begun),
        options={"times": times, "studies": chosen.studies},
    )


def open_parts(chosen: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Family and seed of every part that is still to be run."""
    done = {part.name for part in read_parts(chosen.results)}
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        for name in chosen.families:
            if f"{name}-{seed}" not in done:
                yield name, seed


def run(chosen: argparse.Namespace) -> int:
    """Run open parts until the time is up."""
    end = time.monotonic() + chosen.minutes * 60
    is_wrong = False
    chosen.results.mkdir(parents=True, exist_ok=True)
    for name, seed in open_parts(chosen):
        if missing := missing_for(FAMILIES[name]):
            sys.stdout.write(f"{name}: left out, there is no {', no '.join(missing)}\n")
            continue
        if (left_s := end - time.monotonic()) <= 0:
            sys.stdout.write("time is up: call again to go on\n")
            break
        part = run_part(name, seed, chosen, left_s)
        keep_part(chosen.results, part)
        is_wrong |= bool(part.wrong)
        sys.stdout.write(f"{told(part)}\n")
        sys.stdout.flush()
    return int(is_wrong)


def told(part: Part) -> str:
    """A part in a few lines."""
    traffic = ", ".join(f"{count} {what}" for what, count in part.traffic.items())
    lines = [f"{part.name}: {sum(part.times.values())} in {part.seconds:.0f} s; {traffic}"]
    for kind, details in part.wrong.items():
        lines += [f"  WRONG, {kind}: {detail}" for detail in details[:5]]
    return "\n".join(lines)


def keep(chosen: argparse.Namespace) -> int:
    """Put parts into the repository's results; a part that is there already is replaced."""
    known = {part.name: part for part in (read_results(RESULTS) if RESULTS.exists() else [])}
    known |= {part.name: part for part in read_parts(chosen.results)}
    write_results((known[name] for name in sorted(known)), RESULTS)
    return 0


def report(_chosen: argparse.Namespace) -> int:
    """Write the page to standard output."""
    sys.stdout.write(page_of(read_results(RESULTS)))
    return 0


def main() -> int:
    """Command line."""
    options = argparse.ArgumentParser(prog="tests.benchmarks.campaign", description=__doc__)
    commands = options.add_subparsers(required=True)
    running = commands.add_parser("run", help="run open parts until the time is up")
    running.set_defaults(act=run)
    running.add_argument("--results", type=Path, default=Path("campaign"), help="folder of parts")
    running.add_argument(
        "--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="FAMILY"
    )
    running.add_argument("--seed", type=int, default=1, help="the first one")
    running.add_argument("--seeds", type=int, default=1, help="how many")
    running.add_argument("--times", type=int, default=0, help="faults per part; 0: as the family")
    running.add_argument("--studies", type=int, default=2000, help="most studies of a part")
    running.add_argument("--minutes", type=float, default=45, help="stop after")
    keeping = commands.add_parser("keep", help="put parts into the repository's results")
    keeping.set_defaults(act=keep)
    keeping.add_argument("--results", type=Path, default=Path("campaign"))
    commands.add_parser("report", help="the page").set_defaults(act=report)
    chosen = options.parse_args()
    return int(chosen.act(chosen))


if __name__ == "__main__":
    sys.exit(main())

"""The page about the campaign, from the results that the repository keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.benchmarks.campaign.parts import Part, Total, total_of
from tests.benchmarks.campaign.table import FAMILIES, Family

RESULTS: Final = Path(__file__).with_name("results.json")

_HEAD: Final = """\
# What was tried to make it lose something

<!-- Written by `python -m tests.benchmarks.campaign report`; the figures are in
tests/benchmarks/campaign/results.json. -->

A campaign inflicts faults on a working node and asks a foreign PACS afterwards. Real are the
listener, the journal, the job engine, the delivery, the sockets and the PACS (Orthanc, or dcmtk's
dcmqrscp where there is none); stand-ins are the networks and the images. Two senders send series of
8 slices (4 in `traffic`), every object until it is acknowledged. After each part has to hold:

- every acknowledged object is in the journal and in the spool, byte for byte;
- every series has its two segmentations at the PACS, each once, and the PACS holds what the journal
  lists as results, no more and no less, with the content of the node's files;
- no job, delivery or temporary file is left half done.

`make campaign` goes on where it stopped: a part is one family with one seed, at most 45 minutes,
and a part that was broken off is run again. To repeat a part:
`python -m tests.benchmarks.campaign run --families NAME --seed N`. The figures below are all parts
that were run so far, added up; "wrong" counts what was lost, doubled or left behind.

It sees what it is to see: with `synchronous=NORMAL` in the journal the family `power` reports
acknowledged objects that are lost, and without the `fsync` of received files it finds files without
bytes (both tried on 2026-11-29).

What it found on 2026-11-30 in `disks`, mended since (seed 11 was run again, with two more faults):
a connection to SQLite that was opened while the disk was read-only stayed so and refused whatever
was given to it, and a workflow of which neither the step nor the end could be written was neither
at work nor over; both until the worker was started again. Two results had not been confirmed when
the part gave up. `traffic` with seed 11 called two objects lost that were kept beside the half that
came after them: the judge looked at one content per object; it was corrected, the part run again.

So that the time goes into faults, listener and worker are forked from a process that has imported
everything already. In `serving` and `doors` they are started as on a site, as in all parts of
2026-11-29.

What this does not cover: a kernel, a disk or a controller that lies about what it has
synchronised, a file system that is damaged, two machines that share a folder, and load beyond what
two senders give.
"""


def page_of(parts: Iterable[Part]) -> str:
    """The whole page, Markdown."""
    chosen = list(parts)
    by_family: dict[str, list[Part]] = {}
    for part in chosen:
        by_family.setdefault(part.family, []).append(part)
    lines = [_HEAD, _told(total_of(chosen))]
    for name, family in FAMILIES.items():
        lines += _section(name, family, total_of(by_family.get(name, [])))
    return "\n".join(lines)


def _told(total: Total) -> str:
    """All families together."""
    return (
        f"All together: {total.times.total()} faults and {_traffic_of(total)}, in"
        f" {total.seconds / 3600:.1f} h. **Wrong: {_wrong_of(total)}.**\n"
    )


def _wrong_of(total: Total) -> int:
    return sum(map(len, total.wrong.values()))


def _traffic_of(total: Total) -> str:
    return ", ".join(f"{count} {what}" for what, count in total.traffic.items()) or "no traffic"


def _section(name: str, family: Family, total: Total) -> Iterator[str]:
    yield f"## {family.title[0].upper()}{family.title[1:]}\n"
    if family.remark:
        yield f"{family.remark}\n"
    if not total.seeds:
        yield f"`{name}`: not run yet.\n"
        return
    yield (
        f"`{name}`, seeds {_spans(total.seeds)}, {', '.join(total.dates)},"
        f" {total.seconds / 60:.0f} min: {total.times.total()} times; {_traffic_of(total)}."
        f" **Wrong: {_wrong_of(total)}.**\n"
    )
    yield "| fault | times | what has to come of it |" + (" what came |" if total.outcomes else "")
    yield "|---|---|---|" + ("---|" if total.outcomes else "")
    for fault, expected in family.faults.items():
        row = f"| {fault} | {total.times[fault]} | {expected} |"
        if total.outcomes:
            came = total.outcomes.get(fault, {})
            row += " " + ", ".join(f"{count} {what}" for what, count in sorted(came.items())) + " |"
        yield row
    yield ""


def _spans(seeds: tuple[int, ...]) -> str:
    """1, 2, 3, 5 as ``1-3, 5``."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], seed]
        else:
            spans.append([seed])
    return ", ".join("-".join(map(str, span)) for span in spans)

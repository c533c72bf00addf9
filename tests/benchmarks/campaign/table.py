"""Fault -> who inflicts it -> what has to come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.campaign import (
    archive,
    clocks,
    databases,
    disks,
    doors,
    installs,
    kills,
    openapi,
    power,
    serving,
    siege,
    traffic,
)
from tests.benchmarks.campaign.disturbance import compiler
from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.siege import Plan
from tests.builders import postgres

ONCE: Final = "every acknowledged object kept with its bytes; every result at the PACS, once"


@dataclass(frozen=True, kw_only=True)
class Family:
    """Faults of one kind. `run` inflicts them; `faults`: name -> expected outcome.

    `remark`: for the page; `times`: of a whole part; `needs`: without these it is left out.
    """

    title: str
    run: Callable[[Plan], Findings]
    faults: Mapping[str, str]
    remark: str = ""
    times: int = 200
    needs: tuple[str, ...] = ("a PACS",)


FAMILIES: Final[dict[str, Family]] = {
    "kills": Family(
        title="kill -9 at any time, and at states seen in the journal",
        run=kills.run_random,
        faults=dict.fromkeys(kills.RANDOM, ONCE),
        times=300,
    ),
    "steps": Family(
        title="kill -9 at every step between the first byte and the delivered result",
        run=kills.run_at_steps,
        faults=dict.fromkeys(kills.AT_STEPS, ONCE),
        times=20 * len(kills.AT_STEPS),
    ),
    "serving": Family(
        title="kill -9 of `serve`, with or without its processes, and of the page",
        run=serving.run,
        faults=dict.fromkeys(serving.FAULTS, f"{ONCE}; listener, worker and page answer again"),
        remark=(
            "Here the node is the real `spine-node serve`, which starts the other processes. With "
            "them it is killed as a service manager kills a control group; alone, its processes "
            "have to end by themselves before it is started again. The page, and here also "
            "listener and worker, are started again by `serve`."
        ),
    ),
    "power": Family(
        title="power loss: all processes killed, what was not synchronised forgotten",
        run=power.run,
        faults=dict.fromkeys(power.FAULTS, ONCE),
        remark=(
            "A small library, preloaded into the node's processes, copies a file at every `fsync` "
            "and a folder's names at every `fsync` of the folder. A power loss puts back these "
            "copies, and in a third of the cases a drawn half of the blocks and of the lists of "
            "names that were not synchronised. It sees what the processes ask the C library for, "
            "SQLite included; what the kernel and the disk make of it is taken at its word."
        ),
        needs=("a PACS", "a C compiler"),
    ),
    "disks": Family(
        title="disk full, read-only or failing; databases locked",
        run=disks.run,
        remark=(
            "The same library answers every write below the data folder with an error (ENOSPC, "
            "EROFS, EIO): the space itself is not used up."
        ),
        faults=dict.fromkeys(disks.FAULTS, f"refused or waited for, then: {ONCE}"),
        needs=("a PACS", "a C compiler"),
    ),
    "archive": Family(
        title="a PACS that is slow, silent, closed, refusing, frozen or killed",
        run=archive.run,
        faults=dict.fromkeys(archive.FAULTS, f"sent again, then: {ONCE}"),
    ),
    "traffic": Family(
        title="careless senders: any order, twice, broken off, halves",
        run=traffic.run,
        faults=dict.fromkeys(traffic.FAULTS, ONCE),
    ),
    "clocks": Family(
        title="a clock that jumps, processes that stand still",
        run=clocks.run,
        faults=dict.fromkeys(clocks.FAULTS, ONCE),
        needs=("a PACS", "a C compiler"),
    ),
    "databases": Family(
        title="journal and engine in PostgreSQL, two workers",
        run=databases.run,
        faults=dict.fromkeys(databases.FAULTS, ONCE),
        needs=("a PACS", "PostgreSQL"),
    ),
    "doors": Family(
        title="mutated objects and PDUs at the listener",
        run=doors.run,
        faults={
            doors.OBJECTS: "answered: kept, put aside and told, or refused",
            **dict.fromkeys(
                doors.FAULTS[1:],
                "answered, or its own association ended within 10 s; a good object is taken "
                "afterwards, no process ends",
            ),
        },
        times=10_000,
        needs=(),
    ),
    "installs": Family(
        title="hostile and broken models given to `models install`",
        run=installs.run,
        faults=dict.fromkeys(
            installs.FAULTS,
            "refused by name with nothing left behind, or loaded; nothing written outside the "
            "models folder, no program run",
        ),
        times=2000,
        needs=(),
    ),
    "openapi": Family(
        title="requests drawn from the node's own OpenAPI document (schemathesis)",
        run=openapi.run,
        faults=dict.fromkeys(
            openapi.FAULTS,
            "answered as the document says: status, type and schema; never 5xx "
            "(`/readyz` 503 where nothing runs)",
        ),
        times=5000,
        needs=("schemathesis",),
    ),
}

_THERE: Final[dict[str, Callable[[], bool]]] = {
    "a PACS": siege.has_pacs,
    "a C compiler": lambda: bool(compiler()),
    "PostgreSQL": postgres.can_run,
    "schemathesis": openapi.can_run,
}


def missing_for(family: Family) -> list[str]:
    """Programs that this machine lacks for it."""
    return [need for need in family.needs if not _THERE[need]()]

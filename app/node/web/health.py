"""Is the node fit to work: journal, disk, and the processes that must be alive.

The page's own heartbeat is a commit to the journal every few seconds, so a fresh one proves that
the journal can be written; asking costs no write. A process that was killed shows at once by the
lock that it does not hold any more, a closed port by a knock at it.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.errors import JournalError
from app.node.journal import tallies
from app.node.journal.engine import reading
from app.node.journal.locks import LISTENER, is_held
from app.node.journal.lookout import HANGING, ROLES, UNUSABLE

if TYPE_CHECKING:
    from app.node.journal.tallies import ProcessRow
    from app.node.web.site import Site

_BYTES_PER_MB: Final = 1_000_000
_KNOCK_S: Final = 1.0
_LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must be right.

    Attributes
    ----------
    name : str
        ``journal``, ``disk`` or a role.
    is_good : bool
        Whether it is.
    detail : str
        Figures, no patient data.
    """

    name: str
    is_good: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Space of the data folder, bytes."""

    free_bytes: int
    reserve_bytes: int

    @property
    def is_low(self) -> bool:
        """Whether the listener answers 0xA700 (out of resources)."""
        return self.free_bytes < self.reserve_bytes


def silences(site: Site, processes: list[ProcessRow]) -> dict[str, float]:
    """Seconds of silence of every process, now."""
    return site.lookout.pulses.silences(processes, now=site.clock(), monotonic_s=site.monotonic())


def disk_of(site: Site) -> Disk:
    """Free space and reserve of the data folder."""
    return Disk(
        free_bytes=site.free_bytes(site.node.data),
        reserve_bytes=site.node.retention.disk_reserve_mb * _BYTES_PER_MB,
    )


def check_all(site: Site) -> list[Check]:
    """Check everything that readiness depends on.

    Parameters
    ----------
    site : Site
        The node.

    Returns
    -------
    list of Check
        Journal, disk, then one per role; all good means ready.
    """
    disk = disk_of(site)
    space = f"{disk.free_bytes // _BYTES_PER_MB} MB free, {disk.reserve_bytes // _BYTES_PER_MB} MB"
    checks = [Check(name="disk", is_good=not disk.is_low, detail=f"{space} reserve")]
    try:
        with reading(site.engine) as connection:
            processes = tallies.list_processes(connection, site.clock())
    except JournalError as error:
        return [Check(name="journal", is_good=False, detail=error.message), *checks]
    journal = Check(name="journal", is_good=True, detail="answers")
    silent = silences(site, processes)
    return [journal, *checks, *(check_role(site, role, processes, silent) for role in ROLES)]


def check_role(
    site: Site, role: str, processes: list[ProcessRow], silent: dict[str, float]
) -> Check:
    """Whether a process of that role lives, reported within the lease, and can do its work."""
    rows = [row for row in processes if row.role == role]
    if not rows:
        return Check(name=role, is_good=False, detail="has not reported")
    living = [row for row in rows if is_held(site.node.data, _lock_of(row)) is not False]
    if not living:
        return Check(name=role, is_good=False, detail="no process is alive")
    lease_s = site.node.worker.lease_s

    def rank(row: ProcessRow) -> tuple[bool, bool, float]:
        age_s = silent[row.process_id]
        return age_s > lease_s, bool(row.detail.get(UNUSABLE)), age_s

    freshest = min(living, key=rank)
    age_s = silent[freshest.process_id]
    reported = f"reported {age_s:.0f} s ago"
    trouble = reported if age_s > lease_s else _trouble_of(site, freshest)
    return Check(name=role, is_good=not trouble, detail=trouble or reported)


def _trouble_of(site: Site, row: ProcessRow) -> str:
    """Why a process that reports cannot do its work; empty where it can."""
    if threads := row.detail.get(HANGING):
        return f"hangs: {threads}"
    if reasons := row.detail.get(UNUSABLE):
        return f"models cannot be used: {reasons}"
    port = row.detail.get("port")
    if port is not None and _is_here(row) and not is_open(site.node.listener.host, int(port)):
        return f"does not answer on port {int(port)}"
    return ""


def is_open(host: str, port: int) -> bool:
    """Whether somebody takes connections there.

    Parameters
    ----------
    host : str
        As bound; a wildcard is asked on loopback.
    port : int
        TCP port.

    Returns
    -------
    bool
        The connection is closed at once, without a word.
    """
    address = _LOOPBACK_OF.get(host, host)
    try:
        with socket.create_connection((address, port), timeout=_KNOCK_S):
            return True
    except OSError:
        return False


def _lock_of(row: ProcessRow) -> str:
    """Lock that the process holds while it lives; a page holds none."""
    return LISTENER if row.role == LISTENER else row.process_id


def _is_here(row: ProcessRow) -> bool:
    return row.process_id.partition("@")[2] == socket.gethostname()

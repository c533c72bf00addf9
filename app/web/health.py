"""Is the node fit to work: journal, disk, and the processes that must be alive.

The page's own heartbeat is a commit to the journal every few seconds, so a fresh one proves that
the journal can be written; asking costs no write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.errors import JournalError
from app.journal import tallies
from app.journal.engine import reading
from app.journal.lookout import ROLES

if TYPE_CHECKING:
    from app.journal.tallies import ProcessRow
    from app.web.site import Site

_BYTES_PER_MB: Final = 1_000_000


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
    """Whether a process of that role reported within the lease."""
    ages = [silent[process.process_id] for process in processes if process.role == role]
    if not ages:
        return Check(name=role, is_good=False, detail="has not reported")
    is_fresh = min(ages) <= site.node.worker.lease_s
    return Check(name=role, is_good=is_fresh, detail=f"reported {min(ages):.0f} s ago")

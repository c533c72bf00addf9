"""What all associations of the listener share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.node.archive.disk import DiskReserve
    from app.node.archive.spool import Spool
    from app.node.listener.admission import Admission
    from app.node.listener.recorder import Recorder
    from app.node.peers.commitment import CommitmentReport
    from app.node.telemetry.logs import Emit


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerServices:
    """What all associations share.

    Attributes
    ----------
    admission : Admission
        Who is let in.
    spool : Spool
        Where files go.
    reserve : DiskReserve
        Whether there is space.
    recorder : Recorder
        The way into the journal.
    emit : Emit
        The log.
    secret : bytes
        For keys of series in the log.
    clock : callable
        Seconds since the epoch.
    peer_names : dict
        AE title -> name in the settings, for the log.
    dropped_classes : frozenset of str
        SOP classes that are accepted and not kept.
    keeps_patients : bool
        Whether attributes of patients are written to the journal.
    take_report : callable
        Notes a report on storage commitment.
    """

    admission: Admission
    spool: Spool
    reserve: DiskReserve
    recorder: Recorder
    emit: Emit
    secret: bytes
    clock: Callable[[], float]
    peer_names: dict[str, str]
    dropped_classes: frozenset[str] = frozenset()
    keeps_patients: bool = True
    take_report: Callable[[CommitmentReport], int]

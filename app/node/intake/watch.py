"""What the intake works with, and what it remembers of each series that is arriving."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from sqlalchemy.engine import Engine

    from app.node.archive.spool import Spool
    from app.node.intake.choice import Choice
    from app.node.intake.survey import Survey
    from app.node.journal.series import HeldObject, SeriesMark
    from app.node.telemetry.logs import Emit
    from app.settings import NodeSettings
    from operators.dicom.identity.provenance import WorkIdentity
    from operators.dicom.selection.series_selection import SelectionSettings


@dataclass(slots=True)
class Watch:
    """What the worker remembers of a series that is arriving.

    Attributes
    ----------
    mark : SeriesMark
        As it was last seen.
    activity_since, objects_since : float
        Monotonic seconds at which a change was seen: of anything, of the objects.
    held, survey : list of HeldObject, Survey or None
        Its objects and what their headers say; None until looked at.
    repeated_uids : int
        UIDs that a sender gave to images of several places.
    choice : Future or None
        The selection's answer.
    waits_for_siblings : bool
        Another series of the study may change the answer.
    noted : tuple
        What the page was told last.
    failures, again_at : int, float
        How often the selection failed, and when to try again.
    """

    mark: SeriesMark
    activity_since: float
    objects_since: float
    held: list[HeldObject] = field(default_factory=list)
    survey: Survey | None = None
    repeated_uids: int = 0
    choice: Future[Choice] | None = None
    waits_for_siblings: bool = False
    noted: tuple[object, ...] = ()
    failures: int = 0
    again_at: float = 0.0

    def update(self, mark: SeriesMark, now: float) -> bool:
        """Take the series as it is now; True where objects arrived since."""
        is_new = (mark.revision, mark.last_instance_at) != (
            self.mark.revision,
            self.mark.last_instance_at,
        )
        if mark.last_activity_at != self.mark.last_activity_at or is_new:
            self.activity_since = now
        self.mark = mark
        if is_new:
            self.objects_since = now
            self.survey, self.choice = None, None
        return is_new


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the intake works with.

    Attributes
    ----------
    engine : Engine
        Journal.
    node : NodeSettings
        Completeness, routes, peers.
    spool : Spool
        Received files.
    identity : WorkIdentity
        Models and parameters of this installation.
    selection : SelectionSettings
        What is worth segmenting.
    executor : Executor
        Where headers are read, a second for a series of some hundred objects.
    clock, monotonic : callable
        Epoch seconds for what is written, monotonic seconds for what is waited for.
    emit : Emit
        Event log.
    key_of : callable
        UID -> its keyed hash for the log.
    """

    engine: Engine
    node: NodeSettings
    spool: Spool
    identity: WorkIdentity
    selection: SelectionSettings
    executor: Executor
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    emit: Emit
    key_of: Callable[[str], str]

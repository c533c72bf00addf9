"""What the node gives its job engine to do, and under which names.

The journal is the truth about jobs and deliveries; the engine (`app.node.work.engine`) is the
memory of which step comes next, and may be lost: `reconcile` gives it everything again.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from app.node.work.engine import Engine, Lane

if TYPE_CHECKING:
    from pathlib import Path

    from app.node.journal.deliveries import DeliveryGroup
    from app.node.journal.jobs import JobRun

WORKFLOWS_VERSION: Final = "1"
"""Part of every workflow. Raise it only when the order of steps changes: a worker goes on only
with workflows of its own version, and `reconcile` gives the others a new start."""

SEGMENT: Final = "segment"
DELIVER: Final = "deliver"
WORKFLOWS_CLASS: Final = "spine-node"
WORKFLOWS_INSTANCE: Final = "worker"

SEGMENT_QUEUE: Final = "segment"
DELIVER_QUEUE: Final = "deliver"
SEGMENT_POLL_S: Final = 0.25
DELIVER_POLL_S: Final = 0.5
DELIVERIES_AT_ONCE: Final = 100_000
"""No limit in practice: those that sleep for a dead destination count too, and with a limit they
would keep all others from starting. Sleeping costs no thread;
how many talk at once is limited by the courier and its threads."""

DELIVER_PRIORITY: Final = 50


def engine_url(data: Path, database_url: str | None) -> str:
    """URL of the engine's database.

    Parameters
    ----------
    data : Path
        The node's data folder.
    database_url : str or None
        PostgreSQL URL of the site, or None for SQLite in `data`.

    Returns
    -------
    str
        The engine keeps to a schema of its own in PostgreSQL, and to a file of its own else.
    """
    if database_url is None:
        return f"sqlite:///{data / 'queue.db'}"
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", database_url)


def segment_id(run: JobRun) -> str:
    """Workflow of one run of a job; an id never runs twice."""
    return f"seg:{run.job_id}:{run.run_number}"


def delivery_id(group: DeliveryGroup) -> str:
    """Workflow of one generation of a delivery."""
    return f"del:{group.job_id}:{group.destination}:{group.generation}"


class JobQueue(Engine):
    """The engine of a worker, made with its configuration."""

    def __init__(self, url: str, executor_id: str, *, version: str = WORKFLOWS_VERSION) -> None:
        """Configure the engine; workflows must be registered between this and `start`."""
        super().__init__(
            name=WORKFLOWS_CLASS,
            instance=WORKFLOWS_INSTANCE,
            executor_id=executor_id,
            version=version,
            lanes=(
                Lane(SEGMENT_QUEUE, 1, SEGMENT_POLL_S),
                Lane(DELIVER_QUEUE, DELIVERIES_AT_ONCE, DELIVER_POLL_S),
            ),
        )
        self.configure(url)

    def submit_segmentation(self, run: JobRun) -> None:
        """Give a run of a job to the engine; what it has already is left as it is."""
        args, priority = (run.job_id, run.run_number), run.priority
        self.submit(SEGMENT_QUEUE, SEGMENT, segment_id(run), *args, priority=priority)

    def submit_delivery(self, group: DeliveryGroup) -> None:
        """Give a delivery to the engine; what it has already is left as it is."""
        args = group.job_id, group.destination, group.generation
        self.submit(DELIVER_QUEUE, DELIVER, delivery_id(group), *args, priority=DELIVER_PRIORITY)

    def forget_finished(self, before: float, limit: int = 200) -> int:
        """Delete workflows that were finished before a time: the engine keeps them for ever.

        Parameters
        ----------
        before : float
            Epoch seconds.
        limit : int
            At most so many at once.

        Returns
        -------
        int
            How many; call again while it is the limit.
        """
        old = self.finished(datetime.fromtimestamp(before, UTC).isoformat(), limit)
        self.forget(old)
        return len(old)

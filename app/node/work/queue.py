"""A thin layer over the job engine DBOS: start and stop it, give it work, ask what became of it.

Only this module, `workflows` and `worker` know the engine. The journal is the truth about jobs
and deliveries; the engine is the memory of which step comes next, and may be lost: `reconcile`
gives it everything again.

`DBOS._recover_pending_workflows` is marked internal: version 3.4.0 is pinned, and the test that
kills a worker for good watches over it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dbos import DBOS, DBOSPortableJSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from app.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dbos import DBOSConfig

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
ACTIVE: Final = frozenset({"ENQUEUED", "PENDING", "DELAYED"})
"""States of a workflow that will come to its end by itself."""

_THREADS: Final = 8
_CONNECTIONS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What the engine knows of a workflow."""

    workflow_id: str
    status: str
    version: str
    executor_id: str

    @property
    def is_active(self) -> bool:
        """Queued, running or asleep."""
        return self.status in ACTIVE


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


def engine_config(name: str, url: str, executor_id: str, version: str) -> DBOSConfig:
    """Configure an engine: its name, its database, executor, and version of workflows."""
    return {
        "name": name,
        "system_database_url": url,
        "executor_id": executor_id,
        "application_version": version,
        # The default serializer runs code that anybody who can write the database puts there.
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "CRITICAL",
        "max_executor_threads": _THREADS,
        "sys_db_pool_size": _CONNECTIONS,
    }


def segment_id(run: JobRun) -> str:
    """Workflow of one run of a job; an id never runs twice."""
    return f"seg:{run.job_id}:{run.run_number}"


def delivery_id(group: DeliveryGroup) -> str:
    """Workflow of one generation of a delivery."""
    return f"del:{group.job_id}:{group.destination}:{group.generation}"


class JobQueue:
    """The engine of this process; there can be only one."""

    def __init__(self, url: str, executor_id: str, *, version: str = WORKFLOWS_VERSION) -> None:
        """Configure the engine; workflows must be registered between this and `start`."""
        self.version = version
        DBOS(config=engine_config("spine-node", url, executor_id, version))

    def start(self) -> None:
        """Migrate, take up what this executor left behind, and begin to take work.

        Raises
        ------
        EngineError
            If the database does not answer.
        """
        DBOS.listen_queues([SEGMENT_QUEUE, DELIVER_QUEUE])
        try:
            DBOS.launch()
            DBOS.register_queue(
                SEGMENT_QUEUE,
                worker_concurrency=1,
                polling_interval_sec=SEGMENT_POLL_S,
                on_conflict="always_update",
            )
            DBOS.register_queue(
                DELIVER_QUEUE,
                worker_concurrency=DELIVERIES_AT_ONCE,
                polling_interval_sec=DELIVER_POLL_S,
                on_conflict="always_update",
            )
        except SQLAlchemyError as error:
            raise EngineError(f"the job engine does not start: {type(error).__name__}") from error

    def stop(self) -> None:
        """Stop at once; what is unfinished goes on after the next start.

        Notes
        -----
        The engine's own grace would also wait for deliveries that sleep between two attempts.
        """
        DBOS.destroy()

    def submit_segmentation(self, run: JobRun) -> None:
        """Give a run of a job to the engine; what it has already is left as it is."""
        self._submit(
            SEGMENT_QUEUE, SEGMENT, segment_id(run), run.priority, run.job_id, run.run_number
        )

    def submit_delivery(self, group: DeliveryGroup) -> None:
        """Give a delivery to the engine; what it has already is left as it is."""
        self._submit(
            DELIVER_QUEUE,
            DELIVER,
            delivery_id(group),
            DELIVER_PRIORITY,
            group.job_id,
            group.destination,
            group.generation,
        )

    def tickets(self, workflow_ids: Sequence[str]) -> dict[str, Ticket]:
        """Look up what the engine knows of these workflows; unknown ones are left out."""
        if not workflow_ids:
            return {}
        try:
            found = DBOS.list_workflows(
                workflow_ids=list(workflow_ids), load_input=False, load_output=False
            )
        except SQLAlchemyError as error:
            raise EngineError(f"the job engine does not answer: {type(error).__name__}") from error
        return {
            status.workflow_id: Ticket(
                workflow_id=status.workflow_id,
                status=status.status,
                version=status.app_version or self.version,
                executor_id=status.executor_id or "",
            )
            for status in found
        }

    def take_over(self, executor_ids: Sequence[str]) -> int:
        """Queue the unfinished workflows of executors that are dead; doing so twice is harmless.

        Returns
        -------
        int
            How many.
        """
        try:
            return len(DBOS._recover_pending_workflows(list(executor_ids)))  # noqa: SLF001 - see above
        except SQLAlchemyError as error:
            raise EngineError(f"the job engine does not answer: {type(error).__name__}") from error

    def forget(self, workflow_ids: Sequence[str]) -> None:
        """Delete workflows, so that their ids may be used again."""
        if workflow_ids:
            try:
                DBOS.delete_workflows(list(workflow_ids))
            except SQLAlchemyError as error:
                message = f"the job engine does not answer: {type(error).__name__}"
                raise EngineError(message) from error

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
        try:
            old = DBOS.list_workflows(
                completed_before=datetime.fromtimestamp(before, UTC).isoformat(),
                limit=limit,
                load_input=False,
                load_output=False,
            )
        except SQLAlchemyError as error:
            raise EngineError(f"the job engine does not answer: {type(error).__name__}") from error
        self.forget([status.workflow_id for status in old])
        return len(old)

    def _submit(
        self, queue: str, workflow: str, workflow_id: str, priority: int, *args: str | int
    ) -> None:
        try:
            DBOS.enqueue_workflow_with_options(
                {
                    "workflow_name": workflow,
                    "class_name": WORKFLOWS_CLASS,
                    "instance_name": WORKFLOWS_INSTANCE,
                    "queue_name": queue,
                    "workflow_id": workflow_id,
                    "priority": priority,
                    "app_version": self.version,
                },
                *args,
            )
        except SQLAlchemyError as error:
            raise EngineError(f"the job engine does not answer: {type(error).__name__}") from error

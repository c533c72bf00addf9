"""The job engine DBOS, as the node and a cohort use it: start, stop, give it work, look it up.

Beside this module only those with workflows know DBOS. `DBOS._recover_pending_workflows` is marked
internal: version 3.4.0 is pinned, and the test that kills a worker for good watches over it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbos import DBOS, DBOSPortableJSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from app.errors import EngineError
from app.node.journal.outages import survive_outages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbos import EnqueueOptions

_ACTIVE: Final = frozenset({"ENQUEUED", "PENDING", "DELAYED"})
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
        return self.status in _ACTIVE


@dataclass(frozen=True, slots=True)
class Lane:
    """A queue of the engine: how many of it this process works on, and how often it looks, s."""

    name: str
    at_once: int
    poll_s: float


@dataclass(kw_only=True)
class Engine:
    """The engine of this process; there can be only one.

    Attributes
    ----------
    name : str
        Of the application; also the class under which its workflows are registered.
    instance : str
        Under which they are registered.
    executor_id : str
        Of this process among those that share the database.
    version : str
        Of the workflows: a process goes on only with those of its own.
    lanes : tuple of Lane
        What it works on.
    """

    name: str
    instance: str
    executor_id: str
    version: str
    lanes: tuple[Lane, ...]

    def configure(self, url: str) -> None:
        """Configure it; workflows must be registered between this and `start`."""
        survive_outages()
        DBOS(
            config={
                "name": self.name,
                "system_database_url": url,
                "executor_id": self.executor_id,
                "application_version": self.version,
                # The default one runs code that anybody who can write the database puts there.
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "CRITICAL",
                "max_executor_threads": _THREADS,
                "sys_db_pool_size": _CONNECTIONS,
            }
        )

    def start(self) -> None:
        """Migrate, take up what this executor left behind, and begin to take work.

        Raises
        ------
        EngineError
            If the database does not answer; so does everything below.
        """
        DBOS.listen_queues([lane.name for lane in self.lanes])
        with _named_errors("does not start"):
            DBOS.launch()
            for lane in self.lanes:
                DBOS.register_queue(
                    lane.name,
                    worker_concurrency=lane.at_once,
                    polling_interval_sec=lane.poll_s,
                    on_conflict="always_update",
                )

    def stop(self) -> None:
        """Stop at once; what is unfinished goes on after the next start.

        Notes
        -----
        The engine's own grace would also wait for workflows that sleep.
        """
        DBOS.destroy()

    def submit(
        self, lane: str, workflow: str, workflow_id: str, *args: str | int, priority: int = 0
    ) -> None:
        """Give it a workflow; one that it has already is left as it is (priority 0: none given)."""
        options: EnqueueOptions = {
            "workflow_name": workflow,
            "class_name": self.name,
            "instance_name": self.instance,
            "queue_name": lane,
            "workflow_id": workflow_id,
            "app_version": self.version,
        }
        if priority:
            options["priority"] = priority
        with _named_errors():
            DBOS.enqueue_workflow_with_options(options, *args)

    def tickets(self, workflow_ids: Sequence[str]) -> dict[str, Ticket]:
        """Look up what it knows of these workflows; unknown ones are left out."""
        if not workflow_ids:
            return {}
        with _named_errors():
            found = DBOS.list_workflows(
                workflow_ids=list(workflow_ids), load_input=False, load_output=False
            )
        return {
            status.workflow_id: Ticket(
                workflow_id=status.workflow_id,
                status=status.status,
                version=status.app_version or self.version,
                executor_id=status.executor_id or "",
            )
            for status in found
        }

    def finished(self, before: str, limit: int) -> list[str]:
        """Ids of at most so many workflows that were finished before a time (ISO 8601)."""
        with _named_errors():
            old = DBOS.list_workflows(
                completed_before=before, limit=limit, load_input=False, load_output=False
            )
        return [status.workflow_id for status in old]

    def forget(self, workflow_ids: Sequence[str]) -> None:
        """Delete workflows, so that their ids may be used again."""
        if workflow_ids:
            with _named_errors():
                DBOS.delete_workflows(list(workflow_ids))

    def take_over(self, executor_ids: Sequence[str]) -> int:
        """Queue the unfinished workflows of executors that are dead; doing so twice is harmless.

        Returns
        -------
        int
            How many.
        """
        with _named_errors():
            return len(DBOS._recover_pending_workflows(list(executor_ids)))  # noqa: SLF001 - see above


@contextmanager
def _named_errors(what: str = "does not answer") -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise EngineError(f"the job engine {what}: {type(error).__name__}") from error

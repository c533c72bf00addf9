"""The job engine of a cohort: DBOS, with a file in the output folder or a PostgreSQL database.

`app.node.work.queue` does the same for the node. Several cohorts may share a database: queue,
executors and versions of workflows carry the cohort's id.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError

from app.errors import EngineError
from app.node.journal.locks import holding
from app.node.work.queue import ACTIVE, engine_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


CASE: Final = "cohort-case"
WORKFLOWS_CLASS: Final = "spine-cohort"
WORKFLOWS_INSTANCE: Final = "cohort"

_VERSION: Final = "1"
"""Of the order of steps."""
_POLL_S: Final = 0.2
_AT_ONCE: Final = 500
"""Ids in one question: SQLite takes 32766 values, PostgreSQL 65535."""


@dataclass(frozen=True, slots=True)
class CohortEngine:
    """The engine of this process; there can be only one.

    Attributes
    ----------
    cohort_id : str
        Of the cohort.
    executor : str
        Name of this process among those that work on the cohort.
    at_once : int
        How many cases this process works on.
    """

    cohort_id: str
    executor: str
    at_once: int

    def configure(self, url: str) -> None:
        """Configure the engine; workflows must be registered between this and `start`."""
        executor = self._executor_id(self.executor)
        DBOS(config=engine_config("spine-cohort", url, executor, self._version))

    def start(self) -> None:
        """Migrate, take up what this executor left behind, and begin to take work.

        Raises
        ------
        EngineError
            If the database does not answer.
        """
        DBOS.listen_queues([self._queue])
        with _named_errors():
            DBOS.launch()
            DBOS.register_queue(
                self._queue,
                worker_concurrency=self.at_once,
                polling_interval_sec=_POLL_S,
                on_conflict="always_update",
            )

    def stop(self) -> None:
        """Stop at once; what is unfinished goes on after the next start."""
        DBOS.destroy()

    def submit(self, case_id: str) -> None:
        """Give a case to the engine; one that it has already is left as it is."""
        with _named_errors():
            DBOS.enqueue_workflow_with_options(
                {
                    "workflow_name": CASE,
                    "class_name": WORKFLOWS_CLASS,
                    "instance_name": WORKFLOWS_INSTANCE,
                    "queue_name": self._queue,
                    "workflow_id": self._workflow_id(case_id),
                    "app_version": self._version,
                },
                case_id,
            )

    def forget_ended(self, case_ids: Sequence[str]) -> list[str]:
        """Forget the workflows of these cases that ended, so that they may begin anew.

        Returns
        -------
        list of str
            Cases that the engine does not have, now.
        """
        absent: list[str] = []
        for first in range(0, len(case_ids), _AT_ONCE):
            wanted = {self._workflow_id(one): one for one in case_ids[first : first + _AT_ONCE]}
            with _named_errors():
                found = DBOS.list_workflows(
                    workflow_ids=list(wanted), load_input=False, load_output=False
                )
                ended = [one.workflow_id for one in found if one.status not in ACTIVE]
                if ended:
                    DBOS.delete_workflows(ended)
            active = {one.workflow_id for one in found} - set(ended)
            absent += [case for workflow, case in wanted.items() if workflow not in active]
        return absent

    def take_over_from_dead(self, state: Path) -> int:
        """Queue again what processes have begun that ended without a word, on any machine.

        Parameters
        ----------
        state : Path
            Folder with the locks of the processes: the kernel gives back those of a dead one.

        Returns
        -------
        int
            How many cases.
        """
        count = 0
        for lock in sorted((state / "locks").glob("*.lock")):
            if lock.stem == self.executor:
                continue
            # Held meanwhile, so that no new process of this name begins anything.
            with holding(state, lock.stem) as is_dead, _named_errors():
                if is_dead:
                    dead = [self._executor_id(lock.stem)]
                    count += len(DBOS._recover_pending_workflows(dead))  # noqa: SLF001 - as in the node
        return count

    @property
    def _queue(self) -> str:
        return f"cohort-{self.cohort_id}"

    @property
    def _version(self) -> str:
        return f"{_VERSION}-{self.cohort_id}"

    def _executor_id(self, name: str) -> str:
        return f"{self.cohort_id}-{name}"

    def _workflow_id(self, case_id: str) -> str:
        return f"{self.cohort_id}:{case_id}"


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise EngineError(f"the job engine does not answer: {type(error).__name__}") from error

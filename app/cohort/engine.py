"""The job engine of a cohort: DBOS, with a file in the output folder or a PostgreSQL database.

Several cohorts may share a database: queue,
executors and versions of workflows carry the cohort's id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.node.journal.locks import holding
from app.node.work.engine import Engine, Lane

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


CASE: Final = "cohort-case"
WORKFLOWS_CLASS: Final = "spine-cohort"
WORKFLOWS_INSTANCE: Final = "cohort"

_VERSION: Final = "1"
"""Of the order of steps."""
_POLL_S: Final = 0.2
_AT_ONCE: Final = 500
"""Ids in one question: SQLite takes 32766 values, PostgreSQL 65535."""


class CohortEngine(Engine):
    """The engine of a process that works on a cohort.

    Parameters
    ----------
    cohort_id : str
        Of the cohort.
    executor : str
        Name of this process among those that work on the cohort.
    at_once : int
        How many cases this process works on.
    """

    def __init__(self, cohort_id: str, executor: str, at_once: int) -> None:
        self._cohort_id = cohort_id
        super().__init__(
            name=WORKFLOWS_CLASS,
            instance=WORKFLOWS_INSTANCE,
            executor_id=_executor_of(cohort_id, executor),
            version=f"{_VERSION}-{cohort_id}",
            lanes=(Lane(f"cohort-{cohort_id}", at_once, _POLL_S),),
        )

    def submit_case(self, case_id: str) -> None:
        """Give a case to the engine; one that it has already is left as it is."""
        self.submit(self.lanes[0].name, CASE, self._workflow_id(case_id), case_id)

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
            found = self.tickets(list(wanted))
            active = {one for one, ticket in found.items() if ticket.is_active}
            self.forget(sorted(found.keys() - active))
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
            if _executor_of(self._cohort_id, lock.stem) == self.executor_id:
                continue
            # Held meanwhile, so that no new process of this name begins anything.
            with holding(state, lock.stem) as is_dead:
                if is_dead:
                    count += self.take_over([_executor_of(self._cohort_id, lock.stem)])
        return count

    def _workflow_id(self, case_id: str) -> str:
        return f"{self._cohort_id}:{case_id}"


def _executor_of(cohort_id: str, name: str) -> str:
    return f"{cohort_id}-{name}"

"""Which cases of a cohort are open; the plan itself is on the disk."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.cohort.progress import Standing, left_s
from app.cohort.rows import OK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.cohort.cases import CohortCase
    from app.cohort.folder import CohortFolder


@dataclass(slots=True)
class Ledger:
    """Which cases are open; of each no more than its id is kept.

    Attributes
    ----------
    order : list of str
        All cases.
    open : dict of str to None
        Those that are not published, in this order.
    failed : set of str
        Those that are published without any result.
    losses : dict of str to int
        How often the engine lost a case.
    """

    order: list[str] = field(default_factory=list)
    open: dict[str, None] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    losses: dict[str, int] = field(default_factory=dict)

    def cases(self, folder: CohortFolder) -> Iterator[CohortCase]:
        """All cases, read one after the other."""
        return (folder.case(case_id) for case_id in self.order)

    def note(self, case_id: str, folder: CohortFolder) -> bool:
        """Whether an open case is published; then it is open no more."""
        record = folder.published(folder.case(case_id))
        if record is None:
            return False
        self.open.pop(case_id, None)
        if all(row["status"] != OK for row in record["rows"]):
            self.failed.add(case_id)
        return True

    def note_all(self, folder: CohortFolder) -> bool:
        """Whether any open case is published."""
        return bool([case_id for case_id in list(self.open) if self.note(case_id, folder)])

    def standing(self, seconds: float | None) -> Standing:
        """How far it is."""
        total = len(self.order)
        done = total - len(self.open)
        return Standing(done=done, total=total, failed=len(self.failed), left_s=seconds)


@dataclass(slots=True)
class Teller:
    """Tells the standing, with the expected end.

    Attributes
    ----------
    tell : callable
        Told.
    ledger : Ledger
        What is open.
    """

    tell: Callable[[Standing], None]
    ledger: Ledger
    begun_s: float = field(default_factory=time.monotonic)
    at_start: int = 0

    def start(self) -> None:
        """Count the pace from here."""
        self.begun_s, self.at_start = time.monotonic(), len(self.ledger.open)
        self.now()

    def now(self) -> None:
        """Tell."""
        elapsed_s = time.monotonic() - self.begun_s
        left = left_s(self.at_start, len(self.ledger.open), elapsed_s)
        self.tell(self.ledger.standing(left))

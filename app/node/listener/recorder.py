"""Group commit: objects that arrive at the same time share one synchronisation and one commit.

There is no thread for it. Whoever comes first writes for all who wait; the others find their
answer when they get their turn. A single association commits at once, as if it were alone.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.errors import ServiceError
from app.node.journal.arrivals import (
    ArrivalOutcome,
    association_ended,
    count_objects,
    record_arrival,
)
from app.node.journal.associations import write_associations
from app.node.journal.engine import transaction
from app.node.listener.association_log import AssociationLog

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from app.node.archive.spool import Spool
    from app.node.journal.arrivals import Arrival
    from app.node.journal.associations import AssociationRecord


@dataclass(slots=True)
class _Ticket:
    """One object on its way into the journal."""

    arrival: Arrival
    folder: Path
    outcome: ArrivalOutcome | None = None
    error: ServiceError | None = None

    @property
    def is_settled(self) -> bool:
        return self.outcome is not None or self.error is not None


@dataclass(frozen=True, slots=True)
class _End:
    """An association that ended, and the series it had sent objects of."""

    series_uids: frozenset[str]
    at: float
    is_released: bool


class Recorder:
    """Writes arrivals, ends of associations and counters to the journal.

    Parameters
    ----------
    engine : Engine
        The journal.
    spool : Spool
        Whose folders are synchronised before the commit.
    """

    def __init__(self, engine: Engine, spool: Spool) -> None:
        self._engine = engine
        self._spool = spool
        self._committing = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._ends: list[_End] = []
        self._counts: Counter[str] = Counter()
        self._book = AssociationLog()

    def record(self, arrival: Arrival, folder: Path) -> ArrivalOutcome:
        """Write an arrival; when this returns, file, name and row survive a power cut.

        Parameters
        ----------
        arrival : Arrival
            Its file has been synchronised.
        folder : Path
            Where the file's name has just been made.

        Returns
        -------
        ArrivalOutcome
            What it is.

        Raises
        ------
        JournalError, SpoolError
            If it could not be written; nothing may be acknowledged.
        """
        ticket = _Ticket(arrival, folder)
        with self._lock:
            self._waiting.append(ticket)
        with self._committing:
            if not ticket.is_settled:
                self._commit()
        if ticket.error is not None:
            raise type(ticket.error)(str(ticket.error)) from ticket.error
        if ticket.outcome is None:
            raise ServiceError
        return ticket.outcome

    def end(self, series_uids: frozenset[str], at: float, *, is_released: bool) -> None:
        """Note the end of an association; kept until the journal takes it."""
        with self._lock:
            self._ends.append(_End(series_uids, at, is_released))
        self.flush()

    def note(self, record: AssociationRecord) -> None:
        """Keep an association that is over; written at the next opportunity."""
        self._book.note(record)

    def count(self, label: str) -> None:
        """Count an object that was not stored; written at the next opportunity."""
        with self._lock:
            self._counts[label] += 1

    def flush(self) -> None:
        """Write what is kept back, if the journal takes it now."""
        with self._committing:
            self._commit()

    def _commit(self) -> None:
        """Write everything that waits. Never raises: the tickets carry what went wrong."""
        with self._lock:
            tickets, self._waiting = self._waiting, []
            ends, self._ends = self._ends, []
            counts, self._counts = self._counts, Counter()
        records = self._book.take()
        if not (tickets or ends or counts or records):
            return
        try:
            self._spool.sync({ticket.folder for ticket in tickets})
            with transaction(self._engine) as connection:
                outcomes = [record_arrival(connection, ticket.arrival) for ticket in tickets]
                count_objects(connection, counts + Counter(map(str, outcomes)))
                for end in ends:
                    association_ended(
                        connection, end.series_uids, end.at, is_released=end.is_released
                    )
                write_associations(connection, records)
        except ServiceError as error:
            with self._lock:
                self._ends = ends + self._ends
                self._counts += counts
            self._book.put_back(records)
            for ticket in tickets:
                ticket.error = error
        else:
            for ticket, outcome in zip(tickets, outcomes, strict=True):
                ticket.outcome = outcome

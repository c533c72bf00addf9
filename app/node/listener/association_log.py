"""Associations that are over, until the journal takes them; a flood of them becomes few rows.

Those that brought objects are a row each: each object cost its sender a synchronised write. The
others cost a sender nothing, so like ones are one row per minute, and a minute has a limit of
different ones.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from app.node.journal.associations import RejectedContext

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pynetdicom.presentation import PresentationContext

    from app.node.journal.associations import AssociationRecord

ROWS_PER_MINUTE: Final = 30
"""Different rows of associations without objects; the rest of a minute shares one per outcome."""

MOST_WAITING: Final = 2000
"""Rows kept while the journal does not answer; more are dropped, the oldest first."""

_MINUTE_S: Final = 60.0
_LONGEST_TITLE: Final = 16
_MOST_CONTEXTS: Final = 32
_ID_DIGITS: Final = 32
_LONGEST_UID: Final = 64
_LONGEST_NAME: Final = 64

_RESULTS: Final = {
    1: "user_rejection",
    2: "no_reason",
    3: "abstract_syntax_not_supported",
    4: "transfer_syntaxes_not_supported",
}
"""Result of a presentation context (DICOM PS3.8, table 9-18)."""


def tidy_title(title: str) -> str:
    """AE title as it may be written down: at most 16 printable characters.

    Examples
    --------
    >>> tidy_title("SCANNER 1"), tidy_title("a" * 99), tidy_title("a" + chr(0) + chr(27) + "b")
    ('SCANNER 1', 'aaaaaaaaaaaaaaaa', 'a??b')
    """
    return "".join(letter if letter.isprintable() else "?" for letter in title[:_LONGEST_TITLE])


def rejected_contexts(contexts: Iterable[PresentationContext]) -> tuple[RejectedContext, ...]:
    """Rejected presentation contexts, each SOP class and reason once, at most 32.

    Parameters
    ----------
    contexts : iterable of PresentationContext
        As the negotiation left them.

    Returns
    -------
    tuple of RejectedContext
        In a fixed order.
    """
    found = set()
    for context in contexts:
        uid = context.abstract_syntax
        if uid is None:
            continue
        text = "".join(letter for letter in str(uid) if letter.isdigit() or letter == ".")
        name = uid.name if uid.name != str(uid) else ""
        reason = _RESULTS.get(context.result or 0, "no_reason")
        found.add(RejectedContext(text[:_LONGEST_UID], name[:_LONGEST_NAME], reason))
    # Classes of the standard first: a sender can make up any number of others.
    return tuple(sorted(found, key=lambda one: (not one.name, one))[:_MOST_CONTEXTS])


class AssociationLog:
    """Collects associations that are over; used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, AssociationRecord] = {}
        self._minute = 0
        self._rows: set[str] = set()

    def note(self, record: AssociationRecord) -> None:
        """Keep an association until it is written."""
        with self._lock:
            self._add(record if record.objects else self._merged(record))

    def take(self) -> list[AssociationRecord]:
        """Give out what waits."""
        with self._lock:
            taken, self._waiting = self._waiting, {}
        return list(taken.values())

    def put_back(self, records: list[AssociationRecord]) -> None:
        """Keep what the journal did not take."""
        with self._lock:
            later, self._waiting = self._waiting, {}
            for record in (*records, *later.values()):
                self._add(record)

    def _add(self, record: AssociationRecord) -> None:
        known = self._waiting.get(record.association_id)
        if known is None:
            self._waiting[record.association_id] = record
            if len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
            return
        self._waiting[record.association_id] = replace(
            known, ended_at=record.ended_at, repeats=known.repeats + record.repeats
        )

    def _merged(self, record: AssociationRecord) -> AssociationRecord:
        """Give it the id that like ones of its minute share."""
        minute = int(record.began_at // _MINUTE_S)
        if minute != self._minute:
            self._minute, self._rows = minute, set()
        shared = _shared_id(minute, record)
        if shared not in self._rows and len(self._rows) >= ROWS_PER_MINUTE:
            record = replace(
                record,
                calling_ae_title="",
                called_ae_title="",
                peer_address="",
                accepted_contexts=0,
                rejected_contexts=(),
            )
            return replace(record, association_id=_shared_id(minute, record))
        self._rows.add(shared)
        return replace(record, association_id=shared)


def _shared_id(minute: int, record: AssociationRecord) -> str:
    parts = (
        minute,
        record.peer_address,
        record.calling_ae_title,
        record.called_ae_title,
        record.outcome,
        record.accepted_contexts,
        record.rejected_contexts,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:_ID_DIGITS]

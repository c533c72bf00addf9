"""Who connected: one row per association with objects, one per minute for like ones without.

AE titles and addresses are no patient data, but a stranger chooses them: the listener bounds what
it writes here, and how many different rows a minute can have.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from app.node.journal.arrivals import raise_counters
from app.node.journal.tables import ASSOCIATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

OUTCOMES: Final = "associations"
"""Name of the counter of associations that are over; its labels are outcomes."""

REJECTED_CONTEXTS: Final = "contexts"
"""Name of the counter of presentation contexts that were rejected; its labels say why."""


@dataclass(frozen=True, slots=True, order=True)
class RejectedContext:
    """A presentation context that a peer proposed in vain.

    Attributes
    ----------
    sop_class_uid, name : str
        Abstract syntax, and its name in the standard.
    reason : str
        ``abstract_syntax_not_supported``, ``transfer_syntaxes_not_supported`` or the like.
    """

    sop_class_uid: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationRecord:
    """One association that is over, or several like ones within a minute.

    Attributes
    ----------
    association_id : str
        That of its objects; like ones without objects share one per minute.
    began_at, ended_at : float
        Epoch seconds.
    calling_ae_title, called_ae_title, peer_address : str
        Who called whom from where; empty in the row for those beyond the limit of a minute.
    outcome : str
        ``released``, ``broken_off``, ``nothing_accepted``, or the reason of the refusal.
    accepted_contexts : int
        Presentation contexts.
    rejected_contexts : tuple of RejectedContext
        Each SOP class and reason once.
    objects : int
        Offered by C-STORE.
    statuses : dict
        DIMSE status, four hexadecimal digits -> how often it was answered.
    repeats : int
        Associations that the row stands for.
    """

    association_id: str
    began_at: float
    ended_at: float
    calling_ae_title: str
    called_ae_title: str
    peer_address: str
    outcome: str
    accepted_contexts: int = 0
    rejected_contexts: tuple[RejectedContext, ...] = ()
    objects: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    repeats: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which associations somebody wants to see.

    Attributes
    ----------
    outcome : str
        Only this one; ``refused``: every refusal; empty: all.
    text : str
        Part of a title or an address; empty: all.
    since : float
        Began at or after, epoch seconds.
    """

    outcome: str = ""
    text: str = ""
    since: float = 0.0


REFUSED: Final = "refused"
_ENDED: Final = ("released", "broken_off")
"""Outcomes of associations that were let in."""


def write_associations(c: Connection, records: Sequence[AssociationRecord]) -> None:
    """Write what is over, and count it.

    Parameters
    ----------
    c : Connection
        A transaction.
    records : sequence of AssociationRecord
        One that is there already under its id gets the repeats added.
    """
    outcomes: dict[str, int] = {}
    reasons: dict[str, int] = {}
    for record in records:
        this = ASSOCIATION.c.association_id == record.association_id
        more = {"ended_at": record.ended_at, "repeats": ASSOCIATION.c.repeats + record.repeats}
        if not c.execute(ASSOCIATION.update().where(this).values(more)).rowcount:
            c.execute(ASSOCIATION.insert().values(_values(record)))
        outcomes[record.outcome] = outcomes.get(record.outcome, 0) + record.repeats
        for context in record.rejected_contexts:
            reasons[context.reason] = reasons.get(context.reason, 0) + record.repeats
    raise_counters(c, OUTCOMES, outcomes)
    raise_counters(c, REJECTED_CONTEXTS, reasons)


def list_associations(
    c: Connection, chosen: Chosen, *, limit: int, offset: int = 0
) -> list[AssociationRecord]:
    """List associations that are over, the newest first."""
    query = (
        sa.select(ASSOCIATION)
        .where(_is_chosen(chosen))
        .order_by(ASSOCIATION.c.began_at.desc(), ASSOCIATION.c.association_id)
    )
    rows = c.execute(query.limit(limit).offset(offset)).mappings()
    return [_record(dict(row)) for row in rows]


def count_outcomes(c: Connection, chosen: Chosen) -> dict[str, int]:
    """Associations by outcome, whatever outcome is chosen."""
    others = Chosen(text=chosen.text, since=chosen.since)
    query = (
        sa.select(ASSOCIATION.c.outcome, sa.func.sum(ASSOCIATION.c.repeats))
        .where(_is_chosen(others))
        .group_by(ASSOCIATION.c.outcome)
    )
    return {str(outcome): int(count) for outcome, count in c.execute(query)}


def forget_associations_before(c: Connection, before: float, limit: int) -> int:
    """Delete what began before `before`, at most `limit` rows; how many."""
    old = sa.select(ASSOCIATION.c.association_id).where(ASSOCIATION.c.began_at < before)
    return c.execute(
        ASSOCIATION.delete().where(ASSOCIATION.c.association_id.in_(old.limit(limit)))
    ).rowcount


def _is_chosen(chosen: Chosen) -> sa.ColumnElement[bool]:
    condition: sa.ColumnElement[bool] = ASSOCIATION.c.began_at >= chosen.since
    if chosen.outcome == REFUSED:
        condition &= ASSOCIATION.c.outcome.not_in(_ENDED)
    elif chosen.outcome:
        condition &= ASSOCIATION.c.outcome == chosen.outcome
    if chosen.text:
        columns = ("calling_ae_title", "called_ae_title", "peer_address")
        condition &= sa.or_(
            *(ASSOCIATION.c[name].icontains(chosen.text, autoescape=True) for name in columns)
        )
    return condition


def _values(record: AssociationRecord) -> dict[str, Any]:
    values = {column.name: getattr(record, column.name) for column in ASSOCIATION.columns}
    contexts = [[one.sop_class_uid, one.name, one.reason] for one in record.rejected_contexts]
    return values | {
        "rejected_contexts": json.dumps(contexts),
        "statuses": json.dumps(record.statuses),
    }


def _record(row: dict[str, Any]) -> AssociationRecord:
    contexts = json.loads(row["rejected_contexts"])
    row["rejected_contexts"] = tuple(RejectedContext(*one) for one in contexts)
    row["statuses"] = json.loads(row["statuses"])
    return AssociationRecord(**row)

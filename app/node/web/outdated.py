"""Objects that a person has to look for at a destination, as the page names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.node.journal import overview
from app.node.journal.studies import studies_of_jobs

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from app.node.journal.attention_kinds import Found
    from app.node.journal.rows import DeliveryRow
    from app.node.journal.study_rows import StudyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """One object at a destination.

    Attributes
    ----------
    row : DeliveryRow
        Which object, where, since when.
    study : StudyRow or None
        Whom its study is about now.
    replaced_by : str or None
        Job whose results replace it.
    since : float or None
        When it became outdated, epoch seconds.
    """

    row: DeliveryRow
    study: StudyRow | None
    replaced_by: str | None
    since: float | None


def load(connection: Connection, found: list[Found]) -> list[Any]:
    """Load what the page shows of deliveries, in their order."""
    rows = {
        row.delivery_id: row
        for row in overview.deliveries_named(connection, [one.subject for one in found])
    }
    owners = studies_of_jobs(connection, {row.job_id for row in rows.values()})
    return [
        Outdated(
            row=row,
            study=owners.get(row.job_id),
            replaced_by=overview.successor_of(connection, row.job_id),
            since=one.since,
        )
        for one in found
        if (row := rows.get(one.subject)) is not None
    ]

"""Whether the journal knows what an address names; whoever asks may have typed anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from app.node.journal.tables import DELIVERY, JOB, SERIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

_COLUMNS: Final[Mapping[str, sa.Column[str]]] = {
    "study_uid": SERIES.c.study_uid,
    "series_uid": SERIES.c.series_uid,
    "job_id": JOB.c.job_id,
    "delivery_id": DELIVERY.c.delivery_id,
}
"""Part of an address -> where what it names stands."""


def is_known(c: Connection, part: str, value: str) -> bool:
    """Whether there is such a study, series, job or delivery.

    Parameters
    ----------
    c : Connection
        Of the journal.
    part : str
        ``study_uid``, ``series_uid``, ``job_id`` or ``delivery_id``.
    value : str
        As it was asked for.

    Returns
    -------
    bool
        True where there is.
    """
    column = _COLUMNS[part]
    return c.execute(sa.select(column).where(column == value)).first() is not None

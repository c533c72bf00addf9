"""The one way in which a series, a job or a delivery changes its state.

The move is an UPDATE with the states it starts from in its WHERE: of two that come at once the
second finds no row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from app.node.journal.states import (
    DELIVERY_MOVES,
    JOB_MOVES,
    SERIES_MOVES,
    DeliveryEvent,
    JobEvent,
    SeriesEvent,
)
from app.node.journal.tables import DELIVERY, JOB, SERIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import StrEnum

    from sqlalchemy.engine import Connection

    from app.node.journal.states import DeliveryState, JobState, Move, SeriesState

Event = SeriesEvent | JobEvent | DeliveryEvent


def move(c: Connection, event: Event, /, *fence: sa.ColumnElement[bool], **facts: object) -> int:
    """Let an event happen to the rows that a fence encloses, where their state permits it.

    Parameters
    ----------
    c : Connection
        A transaction.
    event : SeriesEvent, JobEvent or DeliveryEvent
        What happens; its row in the tables of `app.node.journal.states` says what follows.
    *fence : ColumnElement
        Which rows, and what must still hold of them: a run's number, a generation, a mark.
    **facts : object
        Further columns to set.

    Returns
    -------
    int
        Rows that moved.
    """
    table, what = _row(event)
    permitted = table.c.state.in_(what.origins)
    update = sa.update(table).where(*fence, permitted).values(state=what.target, **facts)
    return c.execute(update).rowcount


def origins_of(event: Event) -> Sequence[StrEnum]:
    """States in which an event changes something.

    Examples
    --------
    >>> origins_of(JobEvent.SUCCEED)
    (<JobState.RUNNING: 'running'>,)
    """
    return _row(event)[1].origins


def _row(event: Event) -> tuple[sa.Table, Move[SeriesState] | Move[JobState] | Move[DeliveryState]]:
    # One table for all would lose rows: "discard" of a series and of a delivery are equal.
    if isinstance(event, SeriesEvent):
        return SERIES, SERIES_MOVES[event]
    if isinstance(event, JobEvent):
        return JOB, JOB_MOVES[event]
    return DELIVERY, DELIVERY_MOVES[event]

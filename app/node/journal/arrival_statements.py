"""The SQL of an arrival.

Built once: building a statement takes longer than executing it, and every object waits for these.
Parameters are named ``a_`` + column, because SQLAlchemy keeps the columns' own names to itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.node.journal.states import SERIES_MOVES, InstanceState, SeriesEvent, SeriesState
from app.node.journal.tables import COUNTER, INSTANCE, RESULT, SERIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection, CursorResult

OBJECTS: Final = "objects"
"""Name of the counter of everything offered to the listener; its labels say what became of it."""

_ARRIVE: Final = SERIES_MOVES[SeriesEvent.ARRIVE]


class Prepared:
    """A statement that takes its parameters out of a larger dictionary.

    Parameters
    ----------
    statement : Executable
        Its parameters begin with ``a_``.
    """

    def __init__(self, statement: Any) -> None:  # noqa: ANN401 - select, insert or update
        self._statement = statement
        self._names = [name for name in statement.compile().params if name.startswith("a_")]

    def run(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Execute it with what it needs of `values`."""
        result: CursorResult[Any] = connection.execute(
            self._statement, {name: values[name] for name in self._names}
        )
        return result


KNOWN: Final = Prepared(
    sa.select(INSTANCE.c.digest, INSTANCE.c.state).where(
        INSTANCE.c.sop_instance_uid == bindparam("a_sop_instance_uid")
    )
)

INSERT_INSTANCE: Final = Prepared(
    sa.insert(INSTANCE).values(
        {column.name: bindparam(f"a_{column.name}") for column in INSTANCE.columns}
        | {"state": bindparam("a_instance_state")}
    )
)

RESTORE: Final = Prepared(
    sa.update(INSTANCE)
    .where(
        INSTANCE.c.sop_instance_uid == bindparam("a_sop_instance_uid"),
        INSTANCE.c.digest == bindparam("a_digest"),
    )
    .values(state=str(InstanceState.STORED), path=bindparam("a_path"))
)
"""Retention had removed the file; now it is here again."""

OWN_RESULT: Final = Prepared(
    sa.select(RESULT.c.job_id)
    .where(
        (RESULT.c.sop_instance_uid == bindparam("a_sop_instance_uid"))
        | (RESULT.c.series_uid == bindparam("a_series_uid"))
    )
    .limit(1)
)

_IS_THIS_SERIES: Final = SERIES.c.series_uid == bindparam("a_series_uid")
_OPENED: Final = bindparam("a_opened", type_=sa.Integer)
_BUSY: Final[dict[str, Any]] = {
    "last_activity_at": bindparam("a_received_at"),
    "open_associations": SERIES.c.open_associations + _OPENED,
    "is_broken_off": sa.case((_OPENED == 1, 0), else_=SERIES.c.is_broken_off),
}

TOUCH: Final = Prepared(sa.update(SERIES).where(_IS_THIS_SERIES).values(_BUSY))
"""Show that the sender is busy with the series."""

_WAS_ACCEPTED: Final = SERIES.c.state == str(SeriesState.ACCEPTED)
REOPEN: Final = Prepared(
    sa.update(SERIES)
    .where(_IS_THIS_SERIES)
    .values(
        _BUSY
        | {
            "state": sa.case(
                (SERIES.c.state.in_(_ARRIVE.origins), _ARRIVE.target),
                else_=SERIES.c.state,
            ),
            "revision": sa.case((_WAS_ACCEPTED, SERIES.c.revision + 1), else_=SERIES.c.revision),
            "is_forced": sa.case((_WAS_ACCEPTED, 0), else_=SERIES.c.is_forced),
            "last_instance_at": bindparam("a_received_at"),
        }
    )
)
"""Move the series to RECEIVING where that is its way. After ACCEPTED the revision rises, and a
person's "run it as it is" has been used up."""

INSERT_SERIES: Final = Prepared(
    sa.insert(SERIES).values(
        series_uid=bindparam("a_series_uid"),
        study_uid=bindparam("a_study_uid"),
        state=bindparam("a_state"),
        revision=1,
        calling_ae_title=bindparam("a_calling_ae_title"),
        called_ae_title=bindparam("a_called_ae_title"),
        first_instance_at=bindparam("a_received_at"),
        last_instance_at=bindparam("a_received_at"),
        last_activity_at=bindparam("a_received_at"),
        open_associations=_OPENED,
        completeness="{}",
        decision=bindparam("a_decision"),
        description=bindparam("a_description"),
        modality=bindparam("a_modality"),
        is_broken_off=0,
        is_forced=0,
    )
)

RAISE_COUNTER: Final = Prepared(
    sa.update(COUNTER)
    .where(COUNTER.c.name == bindparam("a_name"), COUNTER.c.label == bindparam("a_label"))
    .values(value=COUNTER.c.value + bindparam("a_amount", type_=sa.BigInteger))
)
INSERT_COUNTER: Final = Prepared(
    sa.insert(COUNTER).values(
        name=bindparam("a_name"), label=bindparam("a_label"), value=bindparam("a_amount")
    )
)

"""Queries behind the page's rows, and how a row is made of the columns that one of them gives."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa

from app.node.journal.outdated import is_of_another_patient
from app.node.journal.replaced import replacing_revision
from app.node.journal.rows import DeliveryRow, JobRow, SeriesRow
from app.node.journal.states import InstanceState
from app.node.journal.tables import DELIVERY, INSTANCE, JOB, JOB_INPUT, RESULT, SERIES

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from app.node.journal.rows import Window

Row = TypeVar("Row")


def series_rows(connection: Connection, chosen: sa.ColumnElement[bool]) -> list[SeriesRow]:
    """Give the series of a condition, each with its objects counted and its last job."""
    held = (
        sa.select(sa.func.count(sa.distinct(INSTANCE.c.sop_instance_uid)))
        .where(INSTANCE.c.series_uid == SERIES.c.series_uid)
        .where(INSTANCE.c.state != InstanceState.QUARANTINED)
        .scalar_subquery()
    )
    latest = [
        sa.select(column)
        .where(JOB.c.series_uid == SERIES.c.series_uid)
        .order_by(JOB.c.created_at.desc(), JOB.c.job_id)
        .limit(1)
        .scalar_subquery()
        .label(f"job_{name}")
        for name, column in (("id", JOB.c.job_id), ("state", JOB.c.state))
    ]
    query = sa.select(SERIES, held.label("instances"), *latest).where(chosen)
    return [row_of(SeriesRow, dict(row)) for row in connection.execute(query).mappings()]


def job_rows(
    connection: Connection, chosen: sa.ColumnElement[bool], window: Window
) -> list[JobRow]:
    """Give the jobs of a condition, the newest first."""
    inputs = sa.select(sa.func.count()).where(JOB_INPUT.c.job_id == JOB.c.job_id).scalar_subquery()
    cut = (
        sa.select(JOB.c.job_id)
        .where(chosen)
        .order_by(JOB.c.created_at.desc(), JOB.c.job_id)
        .limit(window.limit)
        .offset(window.offset)
    )
    query = (
        sa.select(
            JOB,
            inputs.label("inputs"),
            sa.func.coalesce(SERIES.c.description, "").label("description"),
            sa.func.coalesce(SERIES.c.calling_ae_title, "").label("calling_ae_title"),
        )
        .select_from(JOB.outerjoin(SERIES, SERIES.c.series_uid == JOB.c.series_uid))
        .where(JOB.c.job_id.in_(cut))
        .order_by(JOB.c.created_at.desc(), JOB.c.job_id)
    )
    return [row_of(JobRow, dict(row)) for row in connection.execute(query).mappings()]


def delivery_rows(
    connection: Connection, chosen: sa.ColumnElement[bool], window: Window
) -> list[DeliveryRow]:
    """Give the deliveries of a condition, the newest first."""
    same_object = (RESULT.c.job_id == DELIVERY.c.job_id) & (
        RESULT.c.sop_instance_uid == DELIVERY.c.sop_instance_uid
    )
    tables = (
        DELIVERY.outerjoin(RESULT, same_object)
        .outerjoin(JOB, JOB.c.job_id == DELIVERY.c.job_id)
        .outerjoin(SERIES, SERIES.c.series_uid == JOB.c.series_uid)
    )
    cut = (
        sa.select(DELIVERY.c.delivery_id)
        .where(chosen)
        .order_by(DELIVERY.c.created_at.desc(), DELIVERY.c.delivery_id)
        .limit(window.limit)
        .offset(window.offset)
    )
    query = (
        sa.select(
            DELIVERY,
            RESULT.c.name,
            SERIES.c.description,
            JOB.c.revision,
            replacing_revision().label("replaced_by_revision"),
            is_of_another_patient().label("is_of_another_patient"),
        )
        .select_from(tables)
        .where(DELIVERY.c.delivery_id.in_(cut))
        .order_by(DELIVERY.c.created_at.desc(), DELIVERY.c.delivery_id)
    )
    return [row_of(DeliveryRow, dict(row)) for row in connection.execute(query).mappings()]


_JSON: Final = frozenset({"completeness", "decision", "record"})
_FLAGS: Final = frozenset(
    {"is_forced", "cancel_requested", "is_uncompressed", "is_of_another_patient"}
)


def row_of(kind: type[Row], values: dict[str, Any]) -> Row:
    """Build a row from the columns it knows; JSON and flags become what they mean."""
    for name in _JSON & values.keys():
        values[name] = _plain(values[name])
    for name in _FLAGS & values.keys():
        values[name] = bool(values[name])
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in values.items() if name in known})


def _plain(text: str) -> dict[str, Any]:
    """Parse a JSON column; anything but an object shows as nothing rather than as an error."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}

"""What needs a person: the page, the button "Seen", and the same for programs.

Acknowledging deletes nothing: the thing stays in its list with its state, and the audit trail says
who has seen it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from app.node.journal import attention, overview
from app.node.journal.attention import AttentionRow, Circumstances
from app.node.journal.attention_kinds import KINDS, OBSERVED, Found
from app.node.journal.audit import deed_of, record_deed
from app.node.journal.engine import reading, transaction
from app.node.telemetry import events
from app.node.web import outdated
from app.node.web.actions import delivery_offers, offers
from app.node.web.alerting import channels_of
from app.node.web.forms import require_token, with_answer
from app.node.web.gate import actor_of
from app.node.web.rendering import page
from app.node.web.site import CurrentSite, Site
from app.node.web.slice_map import slice_map_of

ATTENTION: Final = APIRouter()

_SHOWN: Final = 10
_PAGE_ROWS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Things of one kind as the page shows them.

    Attributes
    ----------
    row : AttentionRow
        Kind and number.
    layout : str
        Key of the template's macros.
    entries : list
        What the macro shows.
    seen_until : float or None
        Bound of the button for all; None: no such button.
    """

    row: AttentionRow
    layout: str
    entries: list[Any]
    seen_until: float | None


class Seen(BaseModel):
    """What the button "Seen" sends."""

    kind: str = Field(max_length=32)
    subject: str = Field(max_length=128, default="")
    until: float | None = None
    csrf_token: str = Field(max_length=128, default="")
    back: str = Field(max_length=1024, default="/attention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Answer to an acknowledgement: how many things are not counted any more."""

    count: int
    attention: int


@ATTENTION.get("/attention", include_in_schema=False)
def show_attention(request: Request, site: CurrentSite) -> Response:
    """Everything that nothing but a person moves on, the beginning of every list."""
    with reading(site.engine) as connection:
        around = site.lookout.circumstances(connection, site.node, site.moment())
        rows = attention.read_attention(connection, around)
        groups = [
            _group(connection, around, row, limit=_SHOWN)
            for row in rows
            if row.count and row.kind in _LAYOUTS
        ]
        channels = channels_of(connection, site.node.alerts)
    values = {"rows": rows, "groups": groups, "channels": channels}
    values["attention"] = attention.alarms(rows)
    return page(request, site, "attention.html", values)


@ATTENTION.get("/attention/{kind}", include_in_schema=False)
def show_kind(
    request: Request,
    site: CurrentSite,
    kind: str,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """One kind of things that need a person, page by page."""
    if kind not in _LAYOUTS:
        raise HTTPException(404, "There is no such thing here.")
    with reading(site.engine) as connection:
        around = site.lookout.circumstances(connection, site.node, site.moment())
        row = next(r for r in attention.read_attention(connection, around) if r.kind == kind)
        group = _group(connection, around, row, limit=_PAGE_ROWS, offset=offset)
    is_full = offset + _PAGE_ROWS < row.count
    paging = {
        "state": "",
        "before": max(0, offset - _PAGE_ROWS) if offset else None,
        "after": offset + _PAGE_ROWS if is_full else None,
    }
    return page(request, site, "attention_kind.html", {"group": group, "paging": paging})


@ATTENTION.post("/attention/acknowledge", include_in_schema=False)
def take_acknowledgement(
    request: Request, site: CurrentSite, form: Annotated[Seen, Form()]
) -> RedirectResponse:
    """Note that somebody has seen it, and go back."""
    require_token(request, site, form.csrf_token)
    count = _acknowledge(request, site, form)
    return RedirectResponse(with_answer(form.back, "done" if count else "moved"), 303)


@ATTENTION.get("/api/v1/attention", tags=["node"])
def get_attention(site: CurrentSite) -> list[AttentionRow]:
    """Count what needs a person by kind; the sum of the alarms is the number on the page."""
    with reading(site.engine) as connection:
        return site.attention(connection)


@ATTENTION.post("/api/v1/attention/{kind}/acknowledge", tags=["node"])
def acknowledge_kind(
    request: Request,
    site: CurrentSite,
    kind: str,
    *,
    subject: Annotated[str, Query(max_length=128)] = "",
    until: float | None = None,
) -> Acknowledged:
    """Note that one subject, or all of a kind (that began by `until`), has been seen."""
    count = _acknowledge(request, site, Seen(kind=kind[:32], subject=subject, until=until))
    with reading(site.engine) as connection:
        return Acknowledged(count=count, attention=attention.alarms(site.attention(connection)))


def _acknowledge(request: Request, site: Site, seen: Seen) -> int:
    about = KINDS.get(seen.kind)
    if about is None or not about.can_acknowledge:
        raise HTTPException(404, "There is nothing to acknowledge.")
    now, subject = site.clock(), seen.subject or None
    with transaction(site.engine) as connection:
        if seen.kind in OBSERVED:
            around = site.lookout.circumstances(connection, site.node, site.moment())
            found = [f for f in around.observed[seen.kind] if subject in {None, f.subject}]
            count = attention.acknowledge_observed(connection, seen.kind, now, found)
        else:
            count = attention.acknowledge(
                connection, seen.kind, now, subject=subject, until=seen.until
            )
        deed = deed_of(
            actor_of(request),
            at=now,
            action="attention.acknowledge",
            subject=subject or seen.kind,
            detail=f"{seen.kind}: {count}" if count else "nothing to change",
        )
        record_deed(connection, deed)
    site.emit(events.ACTION_TAKEN, action="attention.acknowledge", subject=seen.kind)
    return count


def _group(
    connection: Connection,
    around: Circumstances,
    row: AttentionRow,
    *,
    limit: int,
    offset: int = 0,
) -> Group:
    layout, load = _LAYOUTS[row.kind]
    if row.kind in OBSERVED:
        every = attention.without_seen(connection, row.kind, list(around.observed[row.kind]))
        found = every[offset : offset + limit]
    else:
        found = attention.list_found(connection, row.kind, limit=limit, offset=offset)
    is_for_all = KINDS[row.kind].can_acknowledge and row.count > 1 and row.kind not in OBSERVED
    newest = max((one.since for one in found if one.since is not None), default=None)
    return Group(
        row=row,
        layout=layout,
        entries=load(connection, found),
        seen_until=newest if is_for_all and not offset else None,
    )


def _jobs(connection: Connection, found: list[Found]) -> list[Any]:
    rows = overview.jobs_named(connection, [one.subject for one in found])
    return [(row, offers("job", row.job_id, {row.state})) for row in rows]


def _series(connection: Connection, found: list[Found]) -> list[Any]:
    rows = overview.series_named(connection, [one.subject for one in found])
    return [
        (row, offers("series", row.series_uid, {row.state}), slice_map_of(row.completeness))
        for row in rows
    ]


def _deliveries(connection: Connection, found: list[Found]) -> list[Any]:
    rows = overview.deliveries_named(connection, [one.subject for one in found])
    return [(row, delivery_offers(row)) for row in rows]


def _objects(connection: Connection, found: list[Found]) -> list[Any]:
    return list(overview.quarantined_at(connection, [one.subject for one in found]))


def _names(_connection: Connection, found: list[Found]) -> list[Any]:
    return list(found)


_LAYOUTS: Final[Mapping[str, tuple[str, Callable[[Connection, list[Found]], list[Any]]]]] = {
    "process_silent": ("names", _names),
    "models_unusable": ("names", _names),
    "disk_low": ("names", _names),
    "certificate_expires": ("names", _names),
    "job_stalled": ("jobs", _jobs),
    "job_failed": ("jobs", _jobs),
    "job_refused": ("jobs", _jobs),
    "series_held": ("series", _series),
    "object_quarantined": ("objects", _objects),
    "delivery_failed": ("deliveries", _deliveries),
    "delivery_parked": ("deliveries", _deliveries),
    "delivery_uncommitted": ("deliveries", _deliveries),
    "delivery_wrong_patient": ("outdated", outdated.load),
    "delivery_superseded": ("outdated", outdated.load),
    "destination_paused": ("names", _names),
    "alert_failing": ("names", _names),
}
"""Kind of alarm or task -> how it is shown, and what of it."""

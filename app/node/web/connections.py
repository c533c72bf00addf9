"""Who connected in the last days: every association, let in or refused, with what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.node.journal import associations
from app.node.journal.associations import AssociationRecord, Chosen
from app.node.journal.engine import reading
from app.node.web.rendering import page
from app.node.web.site import CurrentSite
from app.node.web.wording import ASSOCIATIONS

CONNECTIONS: Final = APIRouter()

_PAGE_ROWS: Final = 50
_DAY_S: Final = 86_400.0
_LONGEST_DAYS: Final = 3650

Outcome = Annotated[str, Query(max_length=48, description="One outcome, or `refused` for all.")]
Text = Annotated[str, Query(max_length=64, description="Part of a title or an address.")]
Days = Annotated[int, Query(ge=1, le=_LONGEST_DAYS, description="How far back, days.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One link above the list."""

    name: str
    label: str
    count: int
    address: str
    is_chosen: bool


@CONNECTIONS.get("/connections", include_in_schema=False)
def show_connections(
    request: Request,
    site: CurrentSite,
    *,
    outcome: Outcome = "",
    text: Text = "",
    days: Days = 1,
    offset: Offset = 0,
) -> Response:
    """List associations, the newest first."""
    chosen = Chosen(outcome=outcome, text=text, since=site.clock() - days * _DAY_S)
    with reading(site.engine) as connection:
        rows = associations.list_associations(
            connection, chosen, limit=_PAGE_ROWS + 1, offset=offset
        )
        counts = associations.count_outcomes(connection, chosen)
    kept = {"text": text, "days": days}
    values = {
        "rows": rows[:_PAGE_ROWS],
        "filters": _filters(counts, outcome, kept),
        "text": text,
        "days": days,
        "outcome": outcome,
        "newer": _address(kept, outcome, max(0, offset - _PAGE_ROWS)) if offset else None,
        "older": _address(kept, outcome, offset + _PAGE_ROWS) if rows[_PAGE_ROWS:] else None,
    }
    return page(request, site, "connections.html", values)


@CONNECTIONS.get("/api/v1/connections", tags=["node"])
def get_connections(
    site: CurrentSite,
    *,
    outcome: Outcome = "",
    text: Text = "",
    days: Days = 1,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Offset = 0,
) -> list[AssociationRecord]:
    """List associations, the newest first; `repeats`: like ones of a minute without objects."""
    chosen = Chosen(outcome=outcome, text=text, since=site.clock() - days * _DAY_S)
    with reading(site.engine) as connection:
        return associations.list_associations(connection, chosen, limit=limit, offset=offset)


def _filters(counts: Mapping[str, int], outcome: str, kept: Mapping[str, Any]) -> list[Filter]:
    """All, all refused, and every outcome that there is."""
    ended = sum(counts.get(name, 0) for name in ("released", "broken_off"))
    total = sum(counts.values())
    listed = [("", "all", total), (associations.REFUSED, "refused, all", total - ended)]
    listed += [(name, _label(name), count) for name, count in sorted(counts.items())]
    return [
        Filter(
            name=name or "all",
            label=label,
            count=count,
            address=_address(kept, name, 0),
            is_chosen=name == outcome,
        )
        for name, label, count in listed
    ]


def _label(outcome: str) -> str:
    words = ASSOCIATIONS.get(outcome)
    return words.label if words is not None else outcome.replace("_", " ")


def _address(kept: Mapping[str, Any], outcome: str, offset: int) -> str:
    values = {**kept, "outcome": outcome, "offset": offset}
    return f"/connections?{urlencode({name: value for name, value in values.items() if value})}"

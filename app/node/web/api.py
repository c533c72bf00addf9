"""JSON for programs: the same rows and the same actions as on the page.

Every action needs the header ``X-Spine-Node`` (any value): a foreign page in somebody's browser
cannot send it.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from fastapi import APIRouter, HTTPException, Query, Request

from app import __version__
from app.node.journal import overview, tallies
from app.node.journal.attention import alarms
from app.node.journal.audit import Deed, list_deeds
from app.node.journal.engine import reading
from app.node.journal.prospects import Prospect, prospect_of
from app.node.journal.rows import DeliveryRow, JobRow, ResultRow, SeriesRow, Window
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.journal.tallies import DestinationRow, ProcessRow
from app.node.web import actions
from app.node.web.gate import actor_of
from app.node.web.health import Check, Disk, check_all, disk_of
from app.node.web.site import CurrentSite

API: Final = APIRouter(prefix="/api/v1")

Limit = Annotated[int, Query(ge=1, le=500, description="At most this many, newest first.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of an action; `changed` is false where it came too late."""

    changed: bool
    state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetail:
    """A job with what it made and where that went; `prospect`: when it will probably be done."""

    job: JobRow
    prospect: Prospect | None
    results: list[ResultRow]
    deliveries: list[DeliveryRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The node at a glance."""

    version: str
    notice: str
    is_ready: bool
    checks: list[Check]
    disk: Disk
    objects: dict[str, int]
    series: dict[str, int]
    jobs: dict[str, int]
    deliveries: dict[str, dict[str, int]]
    attention: int
    attention_by_kind: dict[str, int]
    processes: list[ProcessRow]


@API.get("/status", tags=["node"])
def get_status(site: CurrentSite) -> Status:
    """Health, counts and processes."""
    with reading(site.engine) as connection:
        counts = tallies.read_tallies(connection)
        processes = tallies.list_processes(connection, site.clock())
        rows = site.attention(connection)
    checks = check_all(site)
    by_destination: dict[str, dict[str, int]] = {}
    for (destination, state), count in counts.deliveries.items():
        by_destination.setdefault(destination, {})[state] = count
    return Status(
        version=__version__,
        notice=site.notice,
        is_ready=all(check.is_good for check in checks),
        checks=checks,
        disk=disk_of(site),
        objects=counts.objects,
        series=counts.series,
        jobs=counts.jobs,
        deliveries=by_destination,
        attention=alarms(rows),
        attention_by_kind={row.kind: row.count for row in rows},
        processes=processes,
    )


@API.get("/series", tags=["series"])
def get_series_list(
    site: CurrentSite, state: SeriesState | None = None, limit: Limit = 50, offset: Offset = 0
) -> list[SeriesRow]:
    """Series of the studies that were active last; `limit` counts studies."""
    with reading(site.engine) as connection:
        return overview.list_series(connection, _window(state, limit, offset))


@API.get("/series/{series_uid}", tags=["series"])
def get_series(site: CurrentSite, series_uid: str) -> SeriesRow:
    """One series."""
    with reading(site.engine) as connection:
        row = overview.find_series(connection, series_uid)
    if row is None:
        raise HTTPException(404, "No such series.")
    return row


@API.get("/jobs", tags=["jobs"])
def get_jobs(
    site: CurrentSite, state: JobState | None = None, limit: Limit = 50, offset: Offset = 0
) -> list[JobRow]:
    """Segmentations, the newest first."""
    with reading(site.engine) as connection:
        return overview.list_jobs(connection, _window(state, limit, offset))


@API.get("/jobs/{job_id}", tags=["jobs"])
def get_job(site: CurrentSite, job_id: str) -> JobDetail:
    """One segmentation with its results and deliveries."""
    with reading(site.engine) as connection:
        row = overview.find_job(connection, job_id)
        if row is None:
            raise HTTPException(404, "No such job.")
        return JobDetail(
            job=row,
            prospect=prospect_of(
                connection, row, now=site.clock(), lease_s=site.node.worker.lease_s
            ),
            results=overview.results_of_job(connection, job_id),
            deliveries=overview.deliveries_of_job(connection, job_id),
        )


@API.get("/deliveries", tags=["deliveries"])
def get_deliveries(
    site: CurrentSite,
    *,
    state: DeliveryState | None = None,
    destination: Annotated[str | None, Query(max_length=32)] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> list[DeliveryRow]:
    """List result objects on their way, the newest first."""
    window = _window(state, limit, offset)
    with reading(site.engine) as connection:
        return overview.list_deliveries(connection, window, destination=destination)


@API.get("/deliveries/{delivery_id}", tags=["deliveries"])
def get_delivery(site: CurrentSite, delivery_id: str) -> DeliveryRow:
    """One object on its way to one destination."""
    with reading(site.engine) as connection:
        row = overview.find_delivery(connection, delivery_id)
    if row is None:
        raise HTTPException(404, "No such delivery.")
    return row


@API.get("/destinations", tags=["node"])
def get_destinations(site: CurrentSite) -> list[DestinationRow]:
    """How sending to every destination that was ever tried went."""
    with reading(site.engine) as connection:
        return list(tallies.list_destinations(connection).values())


@API.get("/audit", tags=["node"])
def get_audit(
    site: CurrentSite, *, limit: Limit = 50, offset: Offset = 0, views: bool = False
) -> list[Deed]:
    """Who did what, the newest first; with `views`: and who saw what."""
    with reading(site.engine) as connection:
        return list_deeds(connection, limit=limit, offset=offset, has_views=views)


@API.post("/series/{series_uid}/{name}", tags=["series"])
def act_on_series(
    request: Request, site: CurrentSite, series_uid: str, name: Literal["force", "discard"]
) -> Answer:
    """Segment a series as it is, or do not segment it."""
    return _act(request, site, ("series", name), series_uid)


@API.post("/jobs/{job_id}/{name}", tags=["jobs"])
def act_on_job(
    request: Request,
    site: CurrentSite,
    job_id: str,
    name: Literal["replay", "next", "cancel", "release"],
) -> Answer:
    """Run a job again, run it before all others that wait, stop it, or release its results."""
    return _act(request, site, ("job", name), job_id)


@API.post("/deliveries/{delivery_id}/{name}", tags=["deliveries"])
def act_on_delivery(
    request: Request,
    site: CurrentSite,
    delivery_id: str,
    name: Literal["release", "resend", "discard"],
) -> Answer:
    """Release, send again, or discard one delivery."""
    return _act(request, site, ("delivery", name), delivery_id)


def _act(request: Request, site: CurrentSite, action: tuple[str, str], identifier: str) -> Answer:
    kind, name = action
    wanted = actions.Request(
        kind=kind,
        name=name,
        identifier=identifier,
        actor=actor_of(request),
    )
    is_done = actions.take(site, wanted)
    if is_done is None:
        raise HTTPException(404, f"No such {kind}.")
    return Answer(changed=is_done, state=actions.state_of(site, kind, identifier))


def _window(state: str | None, limit: int, offset: int) -> Window:
    return Window(states=(str(state),) if state else (), limit=limit, offset=offset)

"""The pages: each reads one snapshot of the journal and renders it. Nothing is changed here."""

from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response
from sqlalchemy.engine import Connection

from app.node.journal import corrections, overview, studies, tallies
from app.node.journal.attention import alarms, is_unseen
from app.node.journal.attention_kinds import Severity
from app.node.journal.audit import list_deeds
from app.node.journal.engine import reading
from app.node.journal.prospects import Prospect, prospect_of
from app.node.journal.rows import JobRow, SeriesRow, Window
from app.node.journal.states import DeliveryState, JobState
from app.node.web import thumbnails, wording
from app.node.web.actions import delivery_offers, offers
from app.node.web.health import check_all, disk_of, silences
from app.node.web.measured import said_of_entry
from app.node.web.rendering import page
from app.node.web.results import UNKNOWN_MEDIA_TYPE, find_result, pictures_of, title_of
from app.node.web.site import CurrentSite, Site
from app.node.web.slice_map import slice_map_of
from app.node.web.steps import steps_of
from operators.anatomy.vertebrae import LEVEL_NAMES
from operators.dicom.identity.provenance import RESEARCH_NOTICE
from operators.dicom.identity.result_kinds import kind_of
from operators.report.words import COLUMNS

_Row = TypeVar("_Row")

PAGES: Final = APIRouter(include_in_schema=False)

_PAGE_ROWS: Final = 25
_SHORT_LIST: Final = 10
_ATTENTION_KINDS: Final = {
    str(JobState.DEAD): "job_failed",
    str(JobState.REFUSED): "job_refused",
}
_ALIVE: Final = frozenset({JobState.WAITING, JobState.QUEUED, JobState.RUNNING})

Offset = Annotated[int, Query(ge=0, le=1_000_000)]
State = Annotated[str, Query(max_length=16)]


@PAGES.get("/")
def show_overview(request: Request, site: CurrentSite) -> Response:
    """Is everything all right, what runs, what came last."""
    with reading(site.engine) as connection:
        values: dict[str, Any] = {
            "counts": tallies.read_tallies(connection),
            "jobs": overview.list_jobs(connection, Window(limit=_SHORT_LIST)),
            "studies": _by_study(overview.page_of_series(connection, Window(limit=_SHORT_LIST))),
        }
        values["known"] = studies.known_by_uid(connection, [uid for uid, _ in values["studies"]])
        rows = site.attention(connection)
    values |= {"checks": check_all(site), "attention": alarms(rows)}
    values["tasks"] = [row for row in rows if row.severity == Severity.TASK and row.count]
    return page(request, site, "overview.html", values)


@PAGES.get("/arrivals")
def show_arrivals(
    request: Request, site: CurrentSite, state: State = "", offset: Offset = 0
) -> Response:
    """Studies and their series, the last active first."""
    with reading(site.engine) as connection:
        rows = overview.page_of_series(connection, _window("series", state, offset))
        counts = tallies.read_tallies(connection).series
        grouped = _by_study(rows)
        known = studies.known_by_uid(connection, [uid for uid, _ in grouped])
    values = {"studies": grouped, "known": known, "counts": counts}
    values["paging"] = _paging(state, offset, len(rows))
    return page(request, site, "arrivals.html", values)


@PAGES.get("/series/{series_uid:path}")
def show_series(request: Request, site: CurrentSite, series_uid: str) -> Response:
    """One series: completeness, slice map, decision, jobs."""
    with reading(site.engine) as connection:
        row = _found(overview.find_series(connection, series_uid))
        jobs = overview.jobs_of_series(connection, series_uid)
        study = studies.find_study(connection, row.study_uid)
        deeds = list_deeds(connection, subject=series_uid)
    return page(
        request,
        site,
        "series.html",
        {
            "row": row,
            "study": study,
            "jobs": jobs,
            "deeds": deeds,
            "slices": slice_map_of(row.completeness),
            "offers": offers("series", series_uid, {row.state}),
        },
    )


@PAGES.get("/jobs")
def show_jobs(
    request: Request, site: CurrentSite, state: State = "", offset: Offset = 0
) -> Response:
    """Segmentations, the newest first."""
    with reading(site.engine) as connection:
        jobs = overview.list_jobs(connection, _window("job", state, offset))
        counts = tallies.read_tallies(connection).jobs
    paging = _paging(state, offset, len(jobs))
    return page(request, site, "jobs.html", {"jobs": jobs, "counts": counts, "paging": paging})


@PAGES.get("/jobs/{job_id}")
def show_job(request: Request, site: CurrentSite, job_id: str) -> Response:
    """One segmentation: progress, result, deliveries."""
    with reading(site.engine) as connection:
        row = _found(overview.find_job(connection, job_id))
        study = studies.find_study(connection, row.study_uid)
        results = overview.results_of_job(connection, job_id)
        earlier = overview.results_of_job(connection, row.predecessor_job_id or "")
        deliveries = overview.deliveries_of_job(connection, job_id)
        deeds = list_deeds(connection, subject=job_id)
        kind = _ATTENTION_KINDS.get(row.state)
        replaced_by = overview.successor_of(connection, job_id)
        can_correct = corrections.obstacle_of(connection, job_id) is None
        correction = corrections.latest(connection, row.series_uid, row.content_digest)
        needs = kind if kind is not None and is_unseen(connection, kind, job_id) else None
        prospect = _prospect(connection, site, row)
    held = {str(one.state) for one in deliveries if one.replaced_by_revision is None}
    return page(
        request,
        site,
        "job.html",
        {
            "row": row,
            "study": study,
            "prospect": prospect,
            "steps": steps_of(row),
            "is_alive": row.state in _ALIVE,
            "results": results,
            "entries": [(entry, said_of_entry(entry)) for entry in _entries(row)],
            "made_for": row.record.get("notice") or RESEARCH_NOTICE,
            "columns": COLUMNS,
            "pictures": pictures_of(results, earlier),
            "titles": {r.name: title_of(r) for r in results},
            "deliveries": [(d, delivery_offers(d)) for d in deliveries],
            "deeds": deeds,
            "replaced_by": replaced_by,
            "correction": correction,
            "can_correct": can_correct,
            "level_names": tuple(LEVEL_NAMES.values()),
            "needs": needs,
            "offers": offers("job", job_id, {row.state, *held & {DeliveryState.HELD}}),
        },
    )


@PAGES.get("/jobs/{job_id}/progress")
def show_progress(request: Request, site: CurrentSite, job_id: str, seen: State = "") -> Response:
    """Show the live part of a job; the whole page is loaded anew once its state has changed."""
    with reading(site.engine) as connection:
        row = _found(overview.find_job(connection, job_id))
        prospect = _prospect(connection, site, row)
    values = {"row": row, "steps": steps_of(row), "is_alive": row.state in _ALIVE}
    values["prospect"] = prospect
    response = page(request, site, "progress.html", values)
    if seen and seen != row.state:
        response.headers["HX-Refresh"] = "true"
    return response


@PAGES.get("/jobs/{job_id}/files/{name}")
def give_file(site: CurrentSite, job_id: str, name: str) -> FileResponse:
    """Picture or DICOM object of a result."""
    with reading(site.engine) as connection:
        results = overview.results_of_job(connection, job_id)
    found = find_result(site.node.data, results, name)
    if found is None:
        raise HTTPException(404, "This file is not here (any more).")
    row, path = found
    kind = kind_of(row.name)
    return FileResponse(
        path,
        media_type=UNKNOWN_MEDIA_TYPE if kind is None else kind.media_type,
        filename=path.name,
        content_disposition_type="inline" if kind and kind.is_shown else "attachment",
    )


@PAGES.get("/deliveries")
def show_deliveries(
    request: Request,
    site: CurrentSite,
    *,
    state: State = "",
    destination: Annotated[str, Query(max_length=32)] = "",
    offset: Offset = 0,
) -> Response:
    """Show result objects on their way, the newest first."""
    window = _window("delivery", state, offset)
    with reading(site.engine) as connection:
        rows = overview.list_deliveries(connection, window, destination=destination or None)
        counts = tallies.read_tallies(connection).deliveries
        pictures = thumbnails.of_deliveries(connection, rows)
        owners = studies.studies_of_jobs(connection, {row.job_id for row in rows})
    paging = _paging(state, offset, len(rows)) | {"destination": destination}
    chosen = {
        label: sum(n for (name, s), n in counts.items() if s == label and destination in {"", name})
        for label in map(str, DeliveryState)
    }
    listed = [(row, delivery_offers(row)) for row in rows]
    values = {"deliveries": listed, "counts": chosen, "paging": paging}
    return page(
        request, site, "deliveries.html", values | {"thumbnails": pictures, "owners": owners}
    )


@PAGES.get("/destinations")
def show_destinations(request: Request, site: CurrentSite) -> Response:
    """How every peer fares that results go to."""
    with reading(site.engine) as connection:
        known = tallies.list_destinations(connection)
        counts = tallies.read_tallies(connection)
    routed = [name for route in site.node.routes for name in route.destinations]
    names = sorted({*routed, *known, *(name for name, _ in counts.deliveries)})
    listed = [
        (name, site.node.peer(name), known.get(name), tallies.deliveries_by_state(counts, name))
        for name in names
    ]
    return page(request, site, "destinations.html", {"destinations": listed})


@PAGES.get("/system")
def show_system(request: Request, site: CurrentSite, offset: Offset = 0) -> Response:
    """Show processes, disk, what was received, and who did what."""
    now = site.clock()
    with reading(site.engine) as connection:
        processes = tallies.list_processes(connection, now)
        counts = tallies.read_tallies(connection)
        deeds = list_deeds(connection, limit=_PAGE_ROWS, offset=offset)
    return page(
        request,
        site,
        "system.html",
        {
            "checks": check_all(site),
            "disk": disk_of(site),
            "processes": processes,
            "silent": silences(site, processes),
            "counts": counts,
            "deeds": deeds,
            "paging": _paging("", offset, len(deeds)),
        },
    )


def _prospect(connection: Connection, site: Site, row: JobRow) -> Prospect | None:
    return prospect_of(connection, row, now=site.clock(), lease_s=site.node.worker.lease_s)


def _entries(row: JobRow) -> list[dict[str, Any]]:
    """Give what became of each series of a run, from its record."""
    return [entry for entry in row.record.get("series") or () if isinstance(entry, dict)]


def _by_study(rows: list[SeriesRow]) -> list[tuple[str, list[SeriesRow]]]:
    studies: dict[str, list[SeriesRow]] = {}
    for row in rows:
        studies.setdefault(row.study_uid, []).append(row)
    return list(studies.items())


def _window(kind: str, state: str, offset: int) -> Window:
    states = (state,) if state in wording.STATES[kind] else ()
    return Window(states=states, limit=_PAGE_ROWS, offset=offset)


def _paging(state: str, offset: int, shown: int) -> dict[str, Any]:
    return {
        "state": state,
        "offset": offset,
        "before": max(0, offset - _PAGE_ROWS) if offset else None,
        "after": offset + _PAGE_ROWS if shown == _PAGE_ROWS else None,
    }


def _found(row: _Row | None) -> _Row:
    if row is None:
        raise HTTPException(404, "There is no such thing here.")
    return row

"""For machines that watch the node: does it live, is it ready, what are its figures.

They are answered by threads and journal connections of their own, whatever the page is busy with.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.node.journal import tallies
from app.node.journal.engine import reading
from app.node.telemetry.metrics import Measurements, exposition
from app.node.tls import own_certificates
from app.node.web.health import check_all, disk_of, silences
from app.node.web.site import Site

PROBES: Final = APIRouter()

_T = TypeVar("_T")

_THREADS: Final = 2
_BATCH: Final = 1000
_OVERLAP_S: Final = 600.0
"""Jobs of several workers are not written in the order in which they finished."""


@PROBES.get("/healthz", tags=["probes"], response_class=PlainTextResponse)
async def is_alive() -> PlainTextResponse:
    """200 as long as the page's process answers at all."""
    return PlainTextResponse("ok\n")


@PROBES.get("/readyz", tags=["probes"], responses={503: {"description": "Not fit to work."}})
async def is_ready(request: Request) -> JSONResponse:
    """200 where journal, disk, listener and worker are fit to work, else 503 with what is not."""
    checks = await _apart(request, lambda probing: check_all(probing.site))
    is_good = all(check.is_good for check in checks)
    body = {check.name: {"ok": check.is_good, "detail": check.detail} for check in checks}
    return JSONResponse({"ready": is_good, "checks": body}, 200 if is_good else 503)


@PROBES.get("/metrics", tags=["probes"], response_class=PlainTextResponse)
async def give_metrics(request: Request) -> Response:
    """Figures for Prometheus, text format."""
    figures = await _apart(request, lambda probing: measure(probing.site, probing.steps))
    return Response(exposition(figures), media_type=CONTENT_TYPE_LATEST)


async def _apart(request: Request, work: Callable[["Probing"], _T]) -> _T:
    probing: Probing = request.app.state.probing
    return await asyncio.get_running_loop().run_in_executor(probing.threads, work, probing)


@dataclass(slots=True)
class StepClock:
    """Sums of step times that only look at jobs finished since the last scrape.

    Attributes
    ----------
    sums : dict
        Step -> (finished runs, their seconds in total).
    """

    sums: dict[str, tuple[int, float]] = field(default_factory=dict)
    _latest: float = 0.0
    _recent: dict[tuple[str, int], float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, site: Site) -> dict[str, tuple[int, float]]:
        """Take in what finished since, and give the sums."""
        with self._lock:
            while self._take_batch(site):
                pass
            return dict(self.sums)

    def _take_batch(self, site: Site) -> bool:
        after = self._latest - _OVERLAP_S
        with reading(site.engine) as connection:
            # The overlap is always read whole, so that a full batch always brings something new.
            rows = tallies.step_durations(connection, after, _BATCH + len(self._recent))
        fresh = [row for row in rows if (row[1], row[2]) not in self._recent]
        for finished_at, job_id, run_number, seconds in fresh:
            self._recent[job_id, run_number] = finished_at
            self._latest = max(self._latest, finished_at)
            for step, duration in seconds.items():
                count, total = self.sums.get(step, (0, 0.0))
                self.sums[step] = (count + 1, total + duration)
        kept = self._latest - _OVERLAP_S
        self._recent = {key: at for key, at in self._recent.items() if at >= kept}
        return len(fresh) >= _BATCH


@dataclass(frozen=True, slots=True)
class Probing:
    """What the probes have for themselves.

    Attributes
    ----------
    site : Site
        The node, with journal connections of its own.
    steps : StepClock
        Sums of step times.
    threads : Executor
        Where the journal is asked.
    """

    site: Site
    steps: StepClock = field(default_factory=StepClock)
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, thread_name_prefix="probe")
    )


def measure(site: Site, clock: StepClock) -> Measurements:
    """Count everything that the metrics tell.

    Parameters
    ----------
    site : Site
        The node.
    clock : StepClock
        Keeps the sums of step times between scrapes.

    Returns
    -------
    Measurements
        Of this moment.
    """
    now, disk = site.clock(), disk_of(site)
    with reading(site.engine) as connection:
        counts = tallies.read_tallies(connection)
        processes = tallies.list_processes(connection, now)
        destinations = tallies.list_destinations(connection)
        rows = site.attention(connection)
    waiting = counts.oldest_waiting_at
    silent = silences(site, processes)
    ages: dict[str, float] = {}
    for process in processes:
        age = silent[process.process_id]
        ages[process.role] = min(age, ages.get(process.role, age))
    return Measurements(
        objects=counts.objects,
        association_outcomes=counts.associations,
        rejected_contexts=counts.rejected_contexts,
        series=counts.series,
        jobs=counts.jobs,
        deliveries=counts.deliveries,
        queue_age_s=0.0 if waiting is None else max(0.0, now - waiting),
        attention={(row.kind, row.severity): row.count for row in rows},
        disk_free_bytes=disk.free_bytes,
        disk_reserve_bytes=disk.reserve_bytes,
        certificates={own.used_for: own.expires for own in own_certificates(site.node)},
        heartbeat_age_s=ages,
        steps=clock.advance(site),
        associations=sum(int(row.detail.get("associations") or 0) for row in processes),
        open_circuits={
            name: row.open_until is not None and row.open_until > now
            for name, row in destinations.items()
        },
    )

"""The page as a process: one application, one port, one heartbeat; ends when it is asked to."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from app import __version__
from app.alerts.rounds import Herald
from app.archive.disk import free_bytes
from app.errors import ConfigurationError, JournalError, ServiceError
from app.journal import processes
from app.journal.engine import journal_url, open_journal, transaction
from app.journal.processes import Heartbeat
from app.telemetry import events
from app.telemetry.logs import site_secret
from app.web.alerting import ALERTS
from app.web.api import API
from app.web.attention import ATTENTION
from app.web.connections import CONNECTIONS
from app.web.forms import FORMS
from app.web.health import check_all
from app.web.pages import PAGES
from app.web.probes import PROBES, StepClock
from app.web.reference import REFERENCE
from app.web.rendering import FOLDER, plain_page
from app.web.security import Guard
from app.web.site import Site
from app.web.statuses import http_status_of
from operators.errors import SpineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from app.settings import NodeSettings, WebSettings
    from app.telemetry.logs import Emit

BEAT_EVERY_S: Final = 5.0
_MAX_CONNECTIONS: Final = 64
_KEEP_ALIVE_S: Final = 5
_GRACE_S: Final = 3
"""How long an answer that has begun may take after the end was asked for, s."""


def create_app(site: Site) -> Guard:
    """Build the application.

    Parameters
    ----------
    site : Site
        The node.

    Returns
    -------
    Guard
        ASGI application; nothing reaches the routes but through the guard.
    """
    app = FastAPI(
        title="SPINEPS Node",
        version=__version__,
        summary="What arrived, what was decided, what runs and where results went.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.site = site
    app.state.steps = StepClock()
    for router in (PROBES, API, REFERENCE, FORMS, ATTENTION, ALERTS, CONNECTIONS, PAGES):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    app.add_exception_handler(SpineError, _answer_error)
    app.add_exception_handler(AnyHTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    return Guard(app, site.node.web, site.emit)


def serve_web(
    node: NodeSettings,
    *,
    stop: threading.Event,
    ready: Callable[[int], None],
    emit: Emit,
) -> None:
    """Serve the page until `stop` is set.

    Parameters
    ----------
    node : NodeSettings
        Address, data folder and database; the folder exists.
    stop : threading.Event
        Ends the page.
    ready : callable
        Told the port once the page answers.
    emit : Emit
        Event log.

    Raises
    ------
    ConfigurationError
        If the address cannot be used.
    JournalError
        If the journal cannot be opened.
    ServiceError
        If the server ended by itself.
    """
    engine = open_journal(journal_url(node.data, node.database_url))
    try:
        site = Site(
            node=node,
            engine=engine,
            secret=site_secret(node.data),
            clock=time.time,
            monotonic=time.monotonic,
            emit=emit,
            free_bytes=free_bytes,
        )
        with _listening(node.web) as listener, _running(create_app(site), listener) as thread:
            ready(int(listener.getsockname()[1]))
            herald = Herald(engine, node, site.moment, emit, lookout=site.lookout)
            _beat_until(stop, site, (thread, herald.start(stop)))
    finally:
        engine.dispose()


@contextmanager
def _listening(web: WebSettings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    try:
        listener = socket.create_server((web.host, web.port), family=family, backlog=128)
    except OSError as error:
        reason = f"the page cannot listen on port {web.port}: {error.strerror}"
        raise ConfigurationError(reason) from error
    with listener:
        yield listener


@contextmanager
def _running(app: Guard, listener: socket.socket) -> Iterator[threading.Thread]:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = uvicorn.Server(config)
    # Not in the main thread, whose signal handlers uvicorn would replace.
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="uvicorn", daemon=True
    )
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield thread
    finally:
        server.should_exit = True
        thread.join(_GRACE_S * 2)


def _beat_until(stop: threading.Event, site: Site, threads: tuple[threading.Thread, ...]) -> None:
    """Tell the journal that the page lives; readiness rests on it."""
    identity = f"{socket.gethostname()}:web"
    while all(thread.is_alive() for thread in threads):
        heart = Heartbeat(
            process_id=identity,
            role="web",
            beat=site.clock(),
            detail={"pid": os.getpid(), "version": __version__},
        )
        try:
            with transaction(site.engine) as connection:
                processes.beat(connection, heart)
            check_all(site)  # watches the other processes, whether anybody asks or not
        except JournalError as error:
            # The page stays up and shows it; the next beat tries again.
            site.emit(events.INTERNAL_ERROR, role="web", place=error.message)
        if stop.wait(BEAT_EVERY_S):
            return
    raise ServiceError("the web server or its alerts ended by themselves")


async def _answer_error(request: Request, error: Exception) -> Response:
    message = error.message if isinstance(error, SpineError) else "Internal error"
    return _answer(request, message, http_status_of(error))


async def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, (AnyHTTPException, HTTPException)):
        raise error
    return _answer(request, str(error.detail), error.status_code)


async def _answer_invalid(request: Request, _error: Exception) -> Response:
    return _answer(request, "The address or the form has a value that is not possible.", 422)


def _answer(request: Request, text: str, status: int) -> Response:
    """Refuse in the language that was spoken: JSON to programs, a page to people."""
    if request.url.path.startswith("/api/"):
        body: dict[str, Any] = {"detail": text}
        return JSONResponse(body, status)
    return plain_page(text, status)

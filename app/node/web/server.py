"""The page as a process: one application, one port, one heartbeat; ends when it is asked to."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from app import __version__
from app.errors import ConfigurationError
from app.node.alerts.rounds import Herald
from app.node.archive.disk import free_bytes
from app.node.journal.engine import journal_url, open_journal
from app.node.lifeline import no_beat
from app.node.people.audit_copy import AuditCopy
from app.node.people.recognition import check_guarded
from app.node.telemetry.logs import site_secret
from app.node.web.alerting import ALERTS
from app.node.web.api import API
from app.node.web.attention import ATTENTION
from app.node.web.bulk_routes import BULK
from app.node.web.connections import CONNECTIONS
from app.node.web.destination_routes import DESTINATIONS
from app.node.web.forms import FORMS
from app.node.web.gate import LogInNeededError, Views, admit, answer_log_in_needed
from app.node.web.http_connections import BeatingServer, DoorProtocol
from app.node.web.intended_use import note_intended_use
from app.node.web.level_routes import LEVELS
from app.node.web.log_in import LOG_IN
from app.node.web.openid_routes import OPENID
from app.node.web.page_tls import LOOP, PageCertificate
from app.node.web.pages import PAGES
from app.node.web.people_page import PEOPLE
from app.node.web.probes import PROBES, Probing
from app.node.web.reference import REFERENCE
from app.node.web.refusals import REFUSALS
from app.node.web.rendering import FOLDER, plain_page
from app.node.web.security import Guard
from app.node.web.site import Site
from app.node.web.statuses import http_status_of
from app.node.web.studies import STUDIES
from app.node.web.watch import watch_until
from operators.errors import SpineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Engine
    from starlette.requests import Request
    from starlette.responses import Response

    from app.node.lifeline import Beat
    from app.node.telemetry.logs import Emit
    from app.settings import NodeSettings, WebSettings
    from operators.dicom.identity.provenance import IntendedUse

ROUTERS: Final = (
    *(PROBES, LOG_IN, OPENID, PEOPLE, LEVELS, API, DESTINATIONS, REFERENCE, FORMS, ATTENTION),
    *(ALERTS, CONNECTIONS, BULK, STUDIES, PAGES),
)
"""In the order in which addresses are looked up; `app.node.web.permissions` covers them all."""
_KEEP_ALIVE_S: Final = 5
_GRACE_S: Final = 3
"""How long an answer that has begun may take after the end was asked for, s."""


def create_app(site: Site, probed: Site | None = None) -> Guard:
    """Build the application.

    Parameters
    ----------
    site : Site
        The node.
    probed : Site, optional
        The same node with journal connections that only the probes use.

    Returns
    -------
    Guard
        ASGI application; nothing reaches the routes but through the guard.
    """
    app = FastAPI(
        title="SPINEPS Node",
        version=__version__,
        summary="What arrived, what was decided, what runs and where results went.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(admit)],
    )
    app.state.site, app.state.views = site, Views()
    app.state.probing = Probing(probed or site)
    for router in ROUTERS:
        app.include_router(router, responses={} if router is PROBES else REFUSALS)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    app.add_exception_handler(SpineError, _answer_error)
    app.add_exception_handler(LogInNeededError, answer_log_in_needed)
    app.add_exception_handler(AnyHTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    return Guard(app, site.node.web, site.emit)


def serve_web(
    node: NodeSettings,
    *,
    stop: threading.Event,
    ready: Callable[[int], None],
    emit: Emit,
    beat: Beat = no_beat,
    intended_use: IntendedUse | None = None,
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
    beat : Beat
        Called while requests are taken.
    intended_use : IntendedUse or None
        Of the site.

    Raises
    ------
    ConfigurationError
        If the address cannot be used, or would be open to everybody (`PageUnguardedError`).
    JournalError
        If the journal cannot be opened.
    ServiceError
        If the server ended by itself.
    """
    url = journal_url(node.data, node.database_url)
    with closing_engine(url) as engine, closing_engine(url) as spare:
        site = Site(
            node=node,
            engine=engine,
            secret=site_secret(node.data),
            clock=time.time,
            monotonic=time.monotonic,
            emit=emit,
            free_bytes=free_bytes,
            intended_use=intended_use,
        )
        check_guarded(node, engine)
        note_intended_use(site)
        app = create_app(site, replace(site, engine=spare))
        with _listening(node.web) as listener, _running(app, listener, site, beat) as thread:
            ready(int(listener.getsockname()[1]))
            herald = Herald(engine, node, site.moment, emit, lookout=site.lookout)
            try:
                watch_until(stop, site, (thread, herald.start(stop), *_copying(site, stop)))
            finally:
                stop.set()


def _copying(site: Site, stop: threading.Event) -> list[threading.Thread]:
    """Thread that tells the audit server, where there is one."""
    server, ours = site.node.audit.syslog, site.node.listener.ae_title
    if server is None:
        return []
    copy = AuditCopy(
        engine=site.engine, server=server, source=ours, clock=site.clock, emit=site.emit
    )
    return [copy.start(stop)]


@contextmanager
def closing_engine(url: str) -> Iterator[Engine]:
    """Journal that is closed when the context ends."""
    engine = open_journal(url)
    try:
        yield engine
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
def _running(
    app: Guard, listener: socket.socket, site: Site, beat: Beat
) -> Iterator[threading.Thread]:
    tls = site.node.web.tls
    certificate = None if tls is None else PageCertificate(tls, site.emit)
    config = uvicorn.Config(
        app,
        http=DoorProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        loop=LOOP,
        ssl_context_factory=None if certificate is None else certificate.context_of,
    )
    server = BeatingServer(config, beat, _nothing if certificate is None else certificate.renew)
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


def _nothing() -> None:
    """Without TLS there is no certificate to look after."""


async def _answer_error(request: Request, error: Exception) -> Response:
    message = error.message if isinstance(error, SpineError) else "Internal error"
    reasons = error.reasons if isinstance(error, SpineError) else ()
    return _answer(request, message, http_status_of(error), reasons)


async def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, (AnyHTTPException, HTTPException)):
        raise error
    return _answer(request, str(error.detail), error.status_code)


async def _answer_invalid(request: Request, _error: Exception) -> Response:
    return _answer(request, "The address or the form has a value that is not possible.", 422)


def _answer(request: Request, text: str, status: int, reasons: tuple[str, ...] = ()) -> Response:
    """Refuse in the language that was spoken: JSON to programs, a page to people."""
    if request.url.path.startswith("/api/"):
        body: dict[str, Any] = {"detail": text, **({"reasons": reasons} if reasons else {})}
        return JSONResponse(body, status)
    return plain_page(text, status)

"""Before every route: who asks, whether that is allowed, and what is written down about it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from app.errors import JournalError
from app.node.journal.audit import Actor, deed_of, record_deed
from app.node.journal.engine import transaction
from app.node.journal.subjects import is_known
from app.node.people.recognition import Signs, recognise
from app.node.people.roles import Person, Role
from app.node.telemetry import events
from app.node.web.permissions import RULES, Rule
from app.node.web.security import SESSION_COOKIE
from app.node.web.site import Site, site_of
from operators.dicom.identity.result_kinds import kind_of

UNKNOWN: Final = "unknown"
"""Stands in the audit trail for what is not there: anything can be typed into an address."""

SAME_VIEW_S: Final = 600.0
"""A list, or a page that asks again by itself, is one view for so long, s."""
_MOST_VIEWS: Final = 10_000


class LogInNeededError(HTTPException):
    """Nobody whom we know."""

    def __init__(self) -> None:
        super().__init__(401, "Log in, or send a token: Authorization: Bearer ...")


@dataclass(slots=True)
class Views:
    """What was looked at lately, so that a page that renews itself is one view and not hundreds.

    Attributes
    ----------
    recent : dict
        (person, address, deed, subject) -> when it was written down, epoch seconds.
    """

    recent: dict[tuple[str, ...], float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_repeated(self, key: tuple[str, ...], now: float) -> bool:
        """Whether it was written down a short while ago."""
        at = self.recent.get(key)
        return at is not None and 0 <= now - at < SAME_VIEW_S

    def note(self, key: tuple[str, ...], now: float) -> None:
        """Remember that it was written down."""
        with self._lock:
            if len(self.recent) >= _MOST_VIEWS:
                self.recent.clear()
            self.recent[key] = now


async def admit(request: Request) -> None:
    """Let a request through to its route; probes without a thread of the page's, or the journal.

    Parameters
    ----------
    request : Request
        Gets ``state.person``.

    Raises
    ------
    LogInNeededError
        Where nobody is recognised.
    HTTPException
        403 where the role is not enough, or the route has no row in the table.
    JournalError
        If it cannot be written down who saw one patient's data: then nobody sees it.
    """
    route = request.scope["route"].path
    rule = RULES.get((request.method, route))
    if rule is None:
        raise HTTPException(403, "Nobody may use this address.")
    if rule.role is not None:
        await run_in_threadpool(_admit_person, request, rule, rule.role)


def _admit_person(request: Request, rule: Rule, needed: Role) -> None:
    site = site_of(request)
    person = recognise(site.node, site.engine, signs_of(request), site.clock())
    if person is None:
        raise LogInNeededError
    request.state.person = person
    if not person.role.covers(needed):
        _refuse(site, person, needed, f"{request.method} {request.scope['route'].path}")
    if rule.view:
        _note_view(request, site, person, rule)


def signs_of(request: Request) -> Signs:
    """Gather what a request says of whoever sends it."""
    return Signs(
        headers=request.headers,
        cookie=request.cookies.get(SESSION_COOKIE, ""),
        address=request.client.host if request.client else "",
        is_repeated="HX-Request" in request.headers,
    )


def person_of(request: Request) -> Person:
    """Who was let in.

    Raises
    ------
    LogInNeededError
        On a route that everybody may use.
    """
    person = getattr(request.state, "person", None)
    if not isinstance(person, Person):
        raise LogInNeededError
    return person


def actor_of(request: Request) -> Actor:
    """Name who acts, for the audit trail."""
    return person_of(request).actor


def may_of(request: Request) -> Callable[[str], bool]:
    """For templates: whether whoever looks has at least that role."""
    person = getattr(request.state, "person", None)

    def may(role: str) -> bool:
        return isinstance(person, Person) and person.role.covers(Role(role))

    return may


async def answer_log_in_needed(request: Request, error: Exception) -> Response:
    """Lead people to the log-in, and tell programs what is missing."""
    log_in = f"/log-in?back={quote(_here(request))}"
    if "HX-Request" in request.headers:
        # The page that renews itself is left for the log-in as a whole.
        return JSONResponse({}, 401, {"HX-Redirect": log_in})
    if request.url.path.startswith("/api/"):
        detail = error.detail if isinstance(error, HTTPException) else ""
        return JSONResponse({"detail": detail}, 401, {"WWW-Authenticate": "Bearer"})
    return RedirectResponse(log_in, 303)


def _here(request: Request) -> str:
    if request.method != "GET":
        return "/"
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _refuse(site: Site, person: Person, needed: Role, what: str) -> None:
    site.emit(events.REQUEST_REFUSED, reason="role")
    with transaction(site.engine) as connection:
        deed = deed_of(
            person.actor,
            at=site.clock(),
            action="access.refused",
            subject=what,
            detail=f"needs {needed}",
        )
        record_deed(connection, deed)
    raise HTTPException(403, f"Your role is {person.role}; this needs {needed}.")


def _note_view(request: Request, site: Site, person: Person, rule: Rule) -> None:
    parts = request.path_params
    is_list = not rule.subject
    subject = request.scope["route"].path if is_list else str(parts[rule.subject])
    views: Views = request.app.state.views
    key, now = (person.name, person.address, rule.view, subject), site.clock()
    may_repeat = is_list or "HX-Request" in request.headers
    if may_repeat and views.is_repeated(key, now):
        return
    kind = kind_of(str(parts.get("name", "")))
    try:
        with transaction(site.engine) as connection:
            is_ours = is_list or is_known(connection, rule.subject, subject)
            deed = deed_of(
                person.actor,
                at=now,
                action=rule.view,
                subject=subject if is_ours else UNKNOWN,
                detail="" if kind is None else kind.name,
            )
            record_deed(connection, deed)
    except JournalError as error:
        if not is_list:
            raise
        # A list says what is wrong with the node; it must not go dark when the disk is full.
        site.emit(events.VIEW_NOT_NOTED, error=error.code)
        return
    views.note(key, now)

"""Logging in and out, and one's own password."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from app.errors import AccountError
from app.node.journal import accounts
from app.node.journal.engine import reading, transaction
from app.node.people import log_in as door
from app.node.people.accounts import Hand, password_hash, set_password
from app.node.people.log_in import Attempt, Door, Refused
from app.node.telemetry import events
from app.node.web.forms import require_token, with_answer, within_page
from app.node.web.gate import person_of, signs_of
from app.node.web.rendering import page, set_session
from app.node.web.security import SESSION_COOKIE
from app.node.web.site import CurrentSite, Site

LOG_IN: Final = APIRouter(include_in_schema=False)

_SAID: Final = {
    Refused.WRONG: "Name and password do not fit, or the account is disabled.",
    Refused.LOCKED: "Too many log-ins failed. Try again later, or ask an administrator.",
    Refused.BUSY: "Too many people log in at this moment. Try again.",
}
_STATUSES: Final = {Refused.WRONG: 401, Refused.LOCKED: 429, Refused.BUSY: 503}

Back = Annotated[str, Query(max_length=1024)]


class Credentials(BaseModel):
    """What the form of the log-in carries."""

    name: str = Field(max_length=256)
    password: str = Field(max_length=4096, repr=False)
    csrf_token: str = Field(max_length=128, default="")
    back: str = Field(max_length=1024, default="/")


class NewPassword(BaseModel):
    """What the form of the password carries."""

    password: str = Field(max_length=4096, repr=False)
    new: str = Field(max_length=4096, repr=False)
    again: str = Field(max_length=4096, repr=False)
    csrf_token: str = Field(max_length=128, default="")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is told above the form, and the HTTP status; by default nothing is wrong."""

    text: str = ""
    status: int = 200


_NO_PROBLEM: Final = Problem()


def log_in_page(
    request: Request, site: Site, back: str, problem: Problem = _NO_PROBLEM
) -> Response:
    """Page that asks who somebody is, by every way that the site has."""
    with reading(site.engine) as connection:
        has_accounts = accounts.has_accounts(connection)
    values = {
        "back": within_page(back),
        "problem": problem.text,
        "has_accounts": has_accounts,
        "openid": site.node.people.openid,
    }
    return page(request, site, "log_in.html", values, status=problem.status)


@LOG_IN.get("/log-in")
def show_log_in(request: Request, site: CurrentSite, back: Back = "/") -> Response:
    """Ask for name and password."""
    return _form(request, site, back)


@LOG_IN.post("/log-in")
def log_in(request: Request, site: CurrentSite, form: Annotated[Credentials, Form()]) -> Response:
    """Let in whoever shows who it is, and lead back to where it came from."""
    require_token(request, site, form.csrf_token)
    attempt = Attempt(
        name=form.name.strip(),
        password=form.password,
        address=signs_of(request).address,
        now=site.clock(),
    )
    cookie = _door(site).log_in(attempt)
    if isinstance(cookie, Refused):
        site.emit(events.LOG_IN_REFUSED, reason=str(cookie))
        return _form(request, site, form.back, cookie)
    answer = RedirectResponse(within_page(form.back), 303)
    set_session(answer, request, site, cookie)
    return answer


@LOG_IN.post("/log-out")
def log_out(
    request: Request, site: CurrentSite, csrf_token: Annotated[str, Form(max_length=128)] = ""
) -> Response:
    """End the session."""
    require_token(request, site, csrf_token)
    with transaction(site.engine) as connection:
        cookie = request.cookies.get(SESSION_COOKIE, "")
        door.log_out(connection, cookie, person_of(request), site.clock())
    answer = RedirectResponse("/log-in", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@LOG_IN.get("/password")
def show_password(request: Request, site: CurrentSite) -> Response:
    """Ask for another password."""
    return page(request, site, "password.html", {"problem": ""})


@LOG_IN.post("/password")
def change_password(
    request: Request, site: CurrentSite, form: Annotated[NewPassword, Form()]
) -> Response:
    """Take another password of whoever knows the present one; other log-ins of the account end."""
    require_token(request, site, form.csrf_token)
    person = person_of(request)
    if person.way != "password":
        return _password_problem(request, site, "Your password is not kept here.")
    if form.new != form.again:
        return _password_problem(request, site, "The new password was typed in two ways.")
    attempt = Attempt(
        name=person.name, password=form.password, address=person.address, now=site.clock()
    )
    cookie = _door(site).log_in(attempt)
    if isinstance(cookie, Refused):
        return _password_problem(request, site, _SAID[cookie])
    try:
        secret = password_hash(person.name, form.new)
    except AccountError as error:
        return _password_problem(request, site, f"{error.message[:1].upper()}{error.message[1:]}.")
    with transaction(site.engine) as connection:
        hand = Hand(actor=person.actor, now=site.clock())
        set_password(connection, person.name, secret, hand)
        fresh = door.begin(connection, person, site.node.people, site.clock())
    answer = RedirectResponse(with_answer("/", "password_changed"), 303)
    set_session(answer, request, site, fresh)
    return answer


def _door(site: Site) -> Door:
    return Door(site.engine, site.node.people, site.secret)


def _form(request: Request, site: Site, back: str, refused: Refused | None = None) -> Response:
    problem = "" if refused is None else _SAID[refused]
    status = 200 if refused is None else _STATUSES[refused]
    return log_in_page(request, site, back, Problem(problem, status))


def _password_problem(request: Request, site: Site, problem: str) -> Response:
    return page(request, site, "password.html", {"problem": problem}, status=422)

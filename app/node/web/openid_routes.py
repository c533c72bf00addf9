"""The way to the identity provider and back."""

import hmac
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from app.errors import OpenIdFailedError
from app.node.journal.audit import Actor, deed_of, record_deed
from app.node.journal.engine import transaction
from app.node.people import log_in as door
from app.node.people.log_in import UNKNOWN
from app.node.telemetry import events
from app.node.web.forms import within_page
from app.node.web.gate import signs_of
from app.node.web.log_in import Problem, log_in_page
from app.node.web.rendering import set_session
from app.node.web.site import CurrentSite, Site

if TYPE_CHECKING:
    from app.node.people.openid import Provider

OPENID: Final = APIRouter(include_in_schema=False)

COOKIE: Final = "spine_node_openid"
_PATH: Final = "/log-in/openid"
_LASTS_S: Final = 600

_SAID: Final = {
    "no_role": "You are known, but none of your groups may use this page.",
    "not_begun_here": "This log-in was not begun in this browser, or too long ago. Try again.",
    "provider_refused": "The identity provider did not let you in.",
    "provider_unreachable": "The identity provider does not answer. Try again later.",
}
_OTHERWISE: Final = "The identity provider's answer cannot be used; the log names the reason."

Text = Annotated[str, Query(max_length=4096)]


@OPENID.get("/log-in/openid")
def leave(request: Request, site: CurrentSite, back: Text = "/") -> Response:
    """Lead to the identity provider."""
    from app.node.people.openid import UnderWay  # noqa: PLC0415 - few sites load it

    provider = _provider_of(site)
    log_in = UnderWay.begin(within_page(back)[:1024], site.clock())
    try:
        address = provider.address_of(log_in)
    except OpenIdFailedError as error:
        return _refuse(request, site, error.reasons[0])
    answer = RedirectResponse(address, 303)
    answer.set_cookie(
        COOKIE,
        log_in.sealed(site.secret),
        max_age=_LASTS_S,
        path=_PATH,
        httponly=True,
        samesite="lax",
        secure=(site.node.people.address or "").startswith("https:"),
    )
    return answer


@OPENID.get("/log-in/openid/callback")
def come_back(
    request: Request,
    site: CurrentSite,
    *,
    code: Text = "",
    state: Text = "",
    error: Text = "",
) -> Response:
    """Let in whom the identity provider confirms."""
    from app.node.people.openid import UnderWay  # noqa: PLC0415 - as above

    provider = _provider_of(site)
    try:
        log_in = UnderWay.opened(request.cookies.get(COOKIE, ""), site.secret, site.clock())
        if not hmac.compare_digest(state.encode(), log_in.state.encode()):
            raise OpenIdFailedError(reasons=("not_begun_here",))  # noqa: TRY301 - one answer to all
        if error or not code:
            raise OpenIdFailedError(reasons=("provider_refused",))  # noqa: TRY301 - as above
        address = signs_of(request).address
        person = provider.person_of(code, log_in, address=address, now=site.clock())
    except OpenIdFailedError as failure:
        return _refuse(request, site, failure.reasons[0])
    with transaction(site.engine) as connection:
        cookie = door.begin(connection, person, site.node.people, site.clock())
    answer = RedirectResponse(within_page(log_in.back), 303)
    set_session(answer, request, site, cookie)
    answer.delete_cookie(COOKIE, path=_PATH)
    return answer


def _provider_of(site: Site) -> "Provider":
    from app.node.people.openid import Provider  # noqa: PLC0415 - few sites load it

    settings = site.node.people.openid
    if settings is None:
        raise HTTPException(404, "There is no such thing here.")
    return Provider(settings, site.node.people)


def _refuse(request: Request, site: Site, reason: str) -> Response:
    site.emit(events.LOG_IN_REFUSED, reason=reason)
    now, address = site.clock(), signs_of(request).address
    actor = Actor(name=UNKNOWN, address=address)
    with transaction(site.engine) as connection:
        record_deed(
            connection,
            deed_of(actor, at=now, action="log_in.failed", subject=UNKNOWN, detail=reason),
        )
    return log_in_page(request, site, "/", Problem(_SAID.get(reason, _OTHERWISE), 403))

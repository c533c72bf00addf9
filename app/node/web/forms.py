"""Where the page's forms arrive: check the token, act, lead the browser back."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from app.node.telemetry import events
from app.node.web import actions
from app.node.web.gate import actor_of
from app.node.web.security import SESSION_COOKIE, is_token_of
from app.node.web.site import CurrentSite, Site

FORMS: Final = APIRouter(include_in_schema=False)


class Fields(BaseModel):
    """What a form of the page carries."""

    identifier: str = Field(min_length=1, max_length=128)
    csrf_token: str = Field(max_length=128, default="")
    back: str = Field(max_length=1024, default="/")


@FORMS.post("/actions/{kind}/{name}")
def act(
    request: Request, site: CurrentSite, kind: str, name: str, *, form: Annotated[Fields, Form()]
) -> RedirectResponse:
    """Do what a button says and go back to the page it stands on."""
    require_token(request, site, form.csrf_token)
    wanted = actions.Request(
        kind=kind,
        name=name,
        identifier=form.identifier,
        actor=actor_of(request),
    )
    is_done = actions.take(site, wanted)
    if is_done is None:
        raise HTTPException(404, "There is no such thing here.")
    return RedirectResponse(with_answer(form.back, "done" if is_done else "moved"), 303)


def require_token(request: Request, site: Site, token: str) -> None:
    """Let only forms of our own pages pass.

    Raises
    ------
    HTTPException
        403 where the token is not that of the browser's session.
    """
    session = request.cookies.get(SESSION_COOKIE, "")
    if not is_token_of(token, session, site.secret):
        site.emit(events.REQUEST_REFUSED, reason="token")
        raise HTTPException(403, "The form is out of date. Go back, load the page anew, try again.")


def with_answer(back: str, answer: str) -> str:
    """Address of the page the button stands on, never one of another site.

    Parameters
    ----------
    back : str
        As the form says.
    answer : str
        Key of `wording.DONE`.

    Returns
    -------
    str
        Path and query.

    Examples
    --------
    >>> with_answer("/jobs?state=dead", "done")
    '/jobs?state=dead&answer=done'
    >>> with_answer("//elsewhere.example/x", "done")
    '/?answer=done'
    """
    path = within_page(back)
    return f"{path}{'&' if '?' in path else '?'}answer={answer}"


def within_page(back: str) -> str:
    """Address within this page; ``/`` where it is none, or one of another site."""
    is_ours = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
    return back if is_ours else "/"

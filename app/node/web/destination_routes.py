"""Where the buttons of the destinations page and the API's actions on destinations arrive."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse

from app.node.web import destinations
from app.node.web.destinations import Knock
from app.node.web.forms import Fields, require_token, with_answer
from app.node.web.gate import actor_of
from app.node.web.site import CurrentSite, Site

DESTINATIONS = APIRouter()

Action = Literal["try", "echo"]


@DESTINATIONS.post("/destinations/{name}/{action}", include_in_schema=False)
def act_by_form(
    request: Request,
    site: CurrentSite,
    name: str,
    action: Action,
    *,
    form: Annotated[Fields, Form()],
) -> RedirectResponse:
    """Do what a button says and go back to the page it stands on."""
    require_token(request, site, form.csrf_token)
    knock = _act(request, site, name, action)
    return RedirectResponse(with_answer(form.back, knock.outcome), 303)


@DESTINATIONS.post("/api/v1/destinations/{name}/{action}", tags=["node"])
def act_by_api(request: Request, site: CurrentSite, name: str, action: Action) -> Knock:
    """Try everything that waits for a destination now, or ask it by C-ECHO whether it answers."""
    return _act(request, site, name, action)


def _act(request: Request, site: Site, name: str, action: Action) -> Knock:
    knock = destinations.act(site, name, action, actor_of(request))
    if knock is None:
        raise HTTPException(404, "The settings name no such peer.")
    return knock

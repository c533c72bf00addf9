"""Where the selection of the list of studies arrives, from the page and from programs."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from app.node.journal import studies
from app.node.journal.engine import reading
from app.node.web import bulk
from app.node.web.bulk import MOST, Name, Outcome
from app.node.web.forms import require_token
from app.node.web.gate import actor_of
from app.node.web.rendering import page
from app.node.web.site import CurrentSite

BULK: Final = APIRouter()

_Uid = Annotated[str, Field(max_length=64)]


class Selection(BaseModel):
    """What the list's form carries."""

    study: list[_Uid] = Field(default_factory=list, max_length=MOST)
    csrf_token: str = Field(max_length=128, default="")
    back: str = Field(max_length=1024, default="/studies")


class Studies(BaseModel):
    """Which studies."""

    model_config = ConfigDict(extra="forbid")

    study_uids: list[_Uid] = Field(min_length=1, max_length=MOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What was done, and what was left as it is; `done` sums up the studies'."""

    done: int
    studies: list[Outcome]


@BULK.post("/studies/selection/{name}", include_in_schema=False)
def act_by_form(
    request: Request, site: CurrentSite, name: Name, form: Annotated[Selection, Form()]
) -> Response:
    """Do it, and show what became of each study."""
    require_token(request, site, form.csrf_token)
    actor = actor_of(request)
    outcomes = bulk.act_on_studies(site, name, form.study, actor=actor)
    with reading(site.engine) as connection:
        known = studies.known_by_uid(connection, [one.study_uid for one in outcomes])
    is_ours = form.back.startswith("/studies") and form.back.isprintable()
    values = {
        "name": name,
        "outcomes": outcomes,
        "known": known,
        "done": sum(one.done for one in outcomes),
        "refusals": bulk.REFUSALS,
        "back": form.back if is_ours else "/studies",
    }
    return page(request, site, "bulk.html", values)


@BULK.post("/api/v1/studies/{name}", tags=["studies"])
def act_by_api(request: Request, site: CurrentSite, name: Name, body: Studies) -> Outcomes:
    """Release what is held, retry what failed, or discard what is unfinished of some studies.

    What cannot be done is named (`nothing_to_release`, `withheld`, `replaced`, ...) and stops
    nothing else.
    """
    actor = actor_of(request)
    outcomes = bulk.act_on_studies(site, name, body.study_uids, actor=actor)
    return Outcomes(done=sum(one.done for one in outcomes), studies=outcomes)

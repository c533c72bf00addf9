"""Where the forms and the API's action that correct levels arrive."""

from typing import Annotated, Final, Literal, Self

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.node.web import actions, renaming
from app.node.web.api import Answer
from app.node.web.forms import require_token, with_answer
from app.node.web.gate import actor_of
from app.node.web.renaming import Wish
from app.node.web.site import CurrentSite
from operators.errors import NamesRejectedError

LEVELS: Final = APIRouter()

_STEPS: Final = {"up": -1, "down": 1}
_TOO_LATE: Final = frozenset({"job_not_finished", "replaced"})
_Level = Annotated[str, Field(max_length=8)]


class LevelForm(BaseModel):
    """What a form of the job's page carries; `vertebra` and `level` where `what` is ``name``."""

    what: Literal["name", "up", "down", "withdraw"]
    key: str = Field(max_length=128, default="")
    vertebra: int = 0
    level: _Level = ""
    csrf_token: str = Field(max_length=128, default="")
    back: str = Field(max_length=1024, default="/")


class LevelWish(BaseModel):
    """One of three: `names`, `shift`, or `withdraw`; `key` where the job has several results."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=128, default="")
    names: dict[int, _Level] = Field(
        default_factory=dict,
        max_length=32,
        description="Level by number of the vertebra; the others follow by their order.",
    )
    shift: Literal["up", "down"] | None = Field(
        default=None, description="Every vertebra gets the name of the bone above (up) or below."
    )
    withdraw: bool = Field(default=False, description="The names as they are computed.")

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if [bool(self.names), self.shift is not None, self.withdraw].count(True) != 1:
            raise ValueError("give one of names, shift, withdraw")
        return self


@LEVELS.post("/jobs/{job_id}/levels", include_in_schema=False)
def name_by_form(
    request: Request, site: CurrentSite, job_id: str, form: Annotated[LevelForm, Form()]
) -> RedirectResponse:
    """Keep what a person said about the levels, and go back to the job's page."""
    require_token(request, site, form.csrf_token)
    wish = Wish(
        job_id=job_id,
        actor=actor_of(request),
        key=form.key,
        names={form.vertebra: form.level} if form.what == "name" else {},
        step=_STEPS.get(form.what, 0),
        is_withdrawn=form.what == "withdraw",
    )
    try:
        is_known = renaming.rename(site, wish)
    except NamesRejectedError as error:
        if not _TOO_LATE & set(error.reasons):
            raise
        return RedirectResponse(with_answer(form.back, "moved"), 303)
    if not is_known:
        raise HTTPException(404, "There is no such thing here.")
    return RedirectResponse(with_answer(form.back, "done"), 303)


@LEVELS.post("/api/v1/jobs/{job_id}/levels", tags=["jobs"])
def name_by_api(request: Request, site: CurrentSite, job_id: str, body: LevelWish) -> Answer:
    """Correct the levels of a result: it is made anew as another job, which names this one's."""
    wish = Wish(
        job_id=job_id,
        actor=actor_of(request),
        key=body.key,
        names=body.names,
        step=_STEPS.get(body.shift or "", 0),
        is_withdrawn=body.withdraw,
    )
    if not renaming.rename(site, wish):
        raise HTTPException(404, "No such job.")
    return Answer(changed=True, state=actions.state_of(site, "job", job_id))

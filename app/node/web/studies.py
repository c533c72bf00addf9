"""Studies: the list with its search, one study with all of it, and the same for programs."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.node.journal import overview, studies
from app.node.journal.engine import reading
from app.node.journal.rows import Window
from app.node.journal.study_rows import Day, Place, StudyRow, Wanted
from app.node.web import thumbnails
from app.node.web.rendering import page
from app.node.web.site import CurrentSite

STUDIES: Final = APIRouter()

_PAGE_ROWS: Final = 25
_MANY: Final = 1000
_DATE: Final = r"^(\d{4}-\d{2}-\d{2})?$"
_PLACE: Final = r"^(\d{1,12}(\.\d{1,9})?~[0-9.]{1,64})?$"

State = Literal[
    "",
    "receiving",
    "incomplete",
    "working",
    "to_release",
    "sending",
    "delivered",
    "failed",
    "without_job",
    "changed_patient",
]

STATE_WORDS: Final[dict[str, str]] = {
    "receiving": "being received",
    "incomplete": "held as incomplete",
    "working": "being segmented",
    "to_release": "results to release",
    "sending": "results on their way",
    "delivered": "results delivered",
    "failed": "failed",
    "without_job": "nothing to segment",
    "changed_patient": "came again with another patient",
}
"""State of a study, as the form says it."""


class StudyQuery(BaseModel):
    """What to look for; all of it has to be met, and what is empty does not matter."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(
        "",
        max_length=128,
        description="Beginning of the patient's name: family name, then given name; * and ? as in "
        "DICOM, case and accents do not count.",
    )
    patient_id: str = Field("", max_length=64, description="Patient ID; * and ?; case counts.")
    accession: str = Field("", max_length=64, description="Accession number; * and ?; case counts.")
    date_from: str = Field("", pattern=_DATE, description="Earliest study date, YYYY-MM-DD.")
    date_to: str = Field(
        "",
        pattern=_DATE,
        description="Latest study date; of a study without a known date its arrival counts.",
    )
    sender: str = Field("", max_length=16, description="Calling AE title.")
    state: State = Field("", description="A study may be in several states.")
    older_than: str = Field("", pattern=_PLACE, description="`older` of the page before.")
    newer_than: str = Field("", pattern=_PLACE, description="`newer` of the page behind.")

    @field_validator("date_from", "date_to")
    @classmethod
    def _is_a_day(cls, text: str) -> str:
        if text:
            _day(text)
        return text

    @property
    def wanted(self) -> Wanted:
        """For the journal."""
        return Wanted(
            name=self.name.strip(),
            patient_id=self.patient_id.strip(),
            accession_number=self.accession.strip(),
            first=_day(self.date_from) if self.date_from else None,
            last=_day(self.date_to) if self.date_to else None,
            sender=self.sender.strip(),
            state=self.state,
        )

    @property
    def place(self) -> Place | None:
        """Where the page begins."""
        text = self.newer_than or self.older_than
        if not text:
            return None
        at, uid = text.split("~")
        return Place(arrived_at=float(at), study_uid=uid, is_newer=bool(self.newer_than))

    @property
    def told(self) -> dict[str, str]:
        """All that is not empty."""
        return {name: value for name, value in self.model_dump().items() if value}

    @property
    def kept(self) -> dict[str, str]:
        """What every page of the list is asked for."""
        told = self.model_dump(exclude={"older_than", "newer_than", "chosen"})
        return {name: value for name, value in told.items() if value}


class PageQuery(StudyQuery):
    """What to look for, and whether all of it is to be selected."""

    chosen: Literal["", "all"] = ""


class ListQuery(StudyQuery):
    """What to look for, and how much of it."""

    limit: int = Field(50, ge=1, le=500, description="At most this many, the last received first.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyList:
    """Some studies; `older` and `newer` are what to ask for next, None at the ends."""

    studies: list[StudyRow]
    older: str | None
    newer: str | None


@STUDIES.get("/studies", include_in_schema=False)
def show_studies(
    request: Request, site: CurrentSite, query: Annotated[PageQuery, Query()]
) -> Response:
    """Find studies, the last received first."""
    with reading(site.engine) as connection:
        found = studies.find_studies(connection, query.wanted, limit=_PAGE_ROWS, place=query.place)
        senders = studies.senders_known(connection)
        pictures = thumbnails.of_studies(connection, [row.study_uid for row in found.rows])
    newer, older = _word(found.newer), _word(found.older)
    return page(
        request,
        site,
        "studies.html",
        {
            "studies": found.rows,
            "senders": senders,
            "thumbnails": pictures,
            "chosen": bool(query.chosen),
            "all_chosen": f"/studies?{urlencode({**query.told, 'chosen': 'all'})}",
            "query": query,
            "state_choices": STATE_WORDS,
            "newer": newer and f"/studies?{urlencode({**query.kept, 'newer_than': newer})}",
            "older": older and f"/studies?{urlencode({**query.kept, 'older_than': older})}",
        },
    )


@STUDIES.get("/studies/{study_uid}", include_in_schema=False)
def show_study(request: Request, site: CurrentSite, study_uid: str) -> Response:
    """One study: patient, series, jobs, and where the results are."""
    with reading(site.engine) as connection:
        row = studies.find_study(connection, study_uid)
        if row is None:
            raise HTTPException(404, "There is no such thing here.")
        values: dict[str, Any] = {
            "row": row,
            "studies": [(study_uid, overview.series_of_study(connection, study_uid, limit=_MANY))],
            "jobs": overview.jobs_of_study(connection, study_uid, Window(limit=_MANY)),
        }
    return page(request, site, "study.html", values)


@STUDIES.get("/api/v1/studies", tags=["studies"])
def get_studies(site: CurrentSite, query: Annotated[ListQuery, Query()]) -> StudyList:
    """Find studies, the last received first, with their patients and the state of their results."""
    with reading(site.engine) as connection:
        found = studies.find_studies(connection, query.wanted, limit=query.limit, place=query.place)
    return StudyList(studies=found.rows, older=_word(found.older), newer=_word(found.newer))


@STUDIES.get("/api/v1/studies/{study_uid}", tags=["studies"])
def get_study(site: CurrentSite, study_uid: str) -> StudyRow:
    """One study."""
    with reading(site.engine) as connection:
        row = studies.find_study(connection, study_uid)
    if row is None:
        raise HTTPException(404, "No such study.")
    return row


def _word(place: Place | None) -> str | None:
    """Place as an address carries it; no digit of the time may get lost."""
    if place is None:
        return None
    return f"{_decimal(place.arrived_at)}~{place.study_uid}"


def _decimal(seconds: float) -> str:
    text = repr(seconds)
    return text if "e" not in text and math.isfinite(seconds) else f"{seconds:.6f}"


def _day(text: str) -> Day:
    begin = datetime.strptime(text, "%Y-%m-%d").astimezone()
    end = (begin.replace(tzinfo=None) + timedelta(days=1)).astimezone()
    return Day(digits=text.replace("-", ""), begin=begin.timestamp(), end=end.timestamp())

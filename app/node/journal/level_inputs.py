"""What a run of a content takes from elsewhere than its images: names of a person, other series.

Both are kept with the content and stay the same in every later run of it, until a person says
something else or the node finds that a series of the study has changed what another one means.
Each such change gives the content another job id.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from app.node.journal import corrections
from app.node.journal.states import JobState
from app.node.journal.tables import JOB, LEVEL_NEIGHBOURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection

    from app.node.journal.runs import RunningJob
    from operators.anatomy.named_vertebrae import NamedVertebra

Stations = tuple[dict[str, Any], ...]
"""Plain data of `operators.spine.levels.stations.Station`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelInputs:
    """What counts for a content now.

    Attributes
    ----------
    named : tuple of NamedVertebra
        Said by a person.
    stations : tuple of dict
        Of other series of the study.
    words : tuple of str
        What of it the identity of a job depends on; empty for a first run.
    """

    named: tuple[NamedVertebra, ...] = ()
    stations: Stations = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesResult:
    """The present result of a series.

    Attributes
    ----------
    record : dict
        `app.run.record.ResultRecord` as plain data.
    """

    job_id: str
    series_uid: str
    content_digest: str
    record: Mapping[str, Any]

    @property
    def stations(self) -> Stations:
        """What it shows of the spine; empty where an older version made it."""
        entries = self.record.get("series") or ()
        return tuple(entry["station"] for entry in entries if entry.get("station"))


def level_inputs(c: Connection, series_uid: str, content_digest: str) -> LevelInputs:
    """Give what counts for a content."""
    correction = corrections.latest(c, series_uid, content_digest)
    number, told = _latest(c, series_uid, content_digest) or (0, "[]")
    return LevelInputs(
        named=() if correction is None else correction.named,
        stations=tuple(json.loads(told)),
        words=(
            *(() if correction is None else correction.words),
            *((f"stations {number} {_digest(told)}",) if number else ()),
        ),
    )


def keep_first_stations(c: Connection, job: RunningJob, now: float) -> None:
    """Write down, where a content runs for the first time, what its study shows by then.

    None is written down, too: run again later, the same content gives the same.
    """
    content = job.series_uid, job.content_digest
    if _latest(c, *content) is None:
        found = stations_beside(results_of_study(c, job.study_uid), job.series_uid)
        _insert(c, content, number=0, at=now, stations=json.dumps(found))


def keep_stations(c: Connection, content: tuple[str, str], stations: Stations, now: float) -> None:
    """Write down with what a content, a series UID and a digest, is to be named from now on."""
    before = _latest(c, *content)
    number = 1 if before is None else before[0] + 1
    _insert(c, content, number=number, at=now, stations=json.dumps(stations))


def results_of_study(c: Connection, study_uid: str) -> list[SeriesResult]:
    """Give the present result of every series of a study that has one, in order of their UIDs."""
    rows = c.execute(
        sa.select(JOB.c.job_id, JOB.c.series_uid, JOB.c.content_digest, JOB.c.record)
        .where(JOB.c.study_uid == study_uid, JOB.c.state == JobState.SUCCEEDED)
        .order_by(JOB.c.series_uid, JOB.c.revision, JOB.c.created_at)
    )
    latest = {row.series_uid: row for row in rows}
    return [
        SeriesResult(
            job_id=row.job_id,
            series_uid=row.series_uid,
            content_digest=row.content_digest,
            record=json.loads(row.record),
        )
        for row in latest.values()
    ]


def stations_beside(results: Sequence[SeriesResult], series_uid: str) -> Stations:
    """Give what all other series show."""
    return tuple(
        station
        for result in results
        if result.series_uid != series_uid
        for station in result.stations
    )


def _insert(c: Connection, content: tuple[str, str], **values: object) -> None:
    series_uid, content_digest = content
    c.execute(
        sa.insert(LEVEL_NEIGHBOURS).values(
            series_uid=series_uid, content_digest=content_digest, **values
        )
    )


def _latest(c: Connection, series_uid: str, content_digest: str) -> tuple[int, str] | None:
    """Give number and stations that count for a content; None where it never ran."""
    row = c.execute(
        sa.select(LEVEL_NEIGHBOURS.c.number, LEVEL_NEIGHBOURS.c.stations)
        .where(
            LEVEL_NEIGHBOURS.c.series_uid == series_uid,
            LEVEL_NEIGHBOURS.c.content_digest == content_digest,
        )
        .order_by(LEVEL_NEIGHBOURS.c.number.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.number, row.stations)


def _digest(stations: str) -> str:
    return hashlib.sha256(stations.encode()).hexdigest()

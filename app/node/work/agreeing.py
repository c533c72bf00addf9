"""Series of one study that show the same bones agree on their levels.

A series does not wait for others: it is named with what its study shows when it first runs. When a
later result changes what an earlier one means, the earlier one is made anew, as a revision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.node.journal import corrections, jobs
from app.node.journal.audit import Deed, list_deeds, record_deed
from app.node.journal.level_inputs import (
    keep_stations,
    level_inputs,
    results_of_study,
    stations_beside,
)
from operators.errors import NamesRejectedError
from operators.spine.levels.names import name_stations
from operators.spine.levels.stations import from_json, link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sqlalchemy.engine import Connection

    from app.node.journal.level_inputs import SeriesResult
    from operators.anatomy.levels import LevelName

ACTOR: Final = "node"
"""In the audit trail."""

CONTRADICTION: Final = "job.levels.contradiction"
"""Action of the node that changes nothing: the results' pages show it."""

_CONTRADICTED: Final = "persons named one bone differently in two series; both names are kept"


def review(c: Connection, study_uid: str, now: float) -> list[str]:
    """Have the results of a study made anew whose names another one has changed.

    Parameters
    ----------
    c : Connection
        The transaction that finished a job of the study.
    study_uid : str
        Study Instance UID.
    now : float
        Epoch seconds.

    Returns
    -------
    list of str
        Jobs that run again, and go on as other jobs. A series whose job is not finished is looked
        at when it is; one whose images were deleted stays as it is. What two persons said against
        each other changes nothing, and is written down with both results.
    """
    results = results_of_study(c, study_uid)
    try:
        changed = _changed(results)
    except NamesRejectedError:
        _record_contradiction(c, results, now)
        return []
    again = []
    for result, changes in changed:
        if corrections.obstacle_of(c, result.job_id) is not None:
            continue
        content = result.series_uid, result.content_digest
        stations = stations_beside(results, result.series_uid)
        # The same once more could only give the same.
        if stations == level_inputs(c, *content).stations:
            continue
        keep_stations(c, content, stations, now)
        jobs.replay(c, result.job_id, now)
        record_deed(
            c,
            Deed(at=now, actor=ACTOR, action="job.levels", subject=result.job_id, detail=changes),
        )
        again.append(result.job_id)
    return again


def _record_contradiction(c: Connection, results: Sequence[SeriesResult], now: float) -> None:
    """Tell the results that a person has named, once each."""
    for result in results:
        is_named = any(station.get("named") for station in result.stations)
        told = list_deeds(c, subject=result.job_id)
        if is_named and not any(deed.action == CONTRADICTION for deed in told):
            record_deed(
                c,
                Deed(
                    at=now,
                    actor=ACTOR,
                    action=CONTRADICTION,
                    subject=result.job_id,
                    detail=_CONTRADICTED,
                ),
            )


def _changed(results: Sequence[SeriesResult]) -> list[tuple[SeriesResult, str]]:
    """Results of which the study as a whole says something else than they do, and what.

    Raises NamesRejectedError where what persons said of two series contradicts itself.
    """
    shown = [
        (number, entry, station)
        for number, result in enumerate(results)
        for entry in result.record.get("series") or ()
        if (station := from_json(entry.get("station") or {})) is not None
    ]
    stations = [station for _, _, station in shown]
    columns, names = link(stations), name_stations(stations)
    changes: dict[int, list[str]] = {}
    for column in columns:
        owners = {shown[member][0] for member in column.members}
        for member in column.members if len(owners) > 1 else ():
            number, entry, _ = shown[member]
            changes.setdefault(number, []).extend(_told(entry, names[member]))
    return [(results[n], ", ".join(told)) for n, told in changes.items() if told]


def _told(entry: Mapping[str, Any], names: Mapping[int, LevelName]) -> list[str]:
    before = {int(n): str(level["text"]) for n, level in entry["levels"].items()}
    return [
        f"{n}: {before.get(n, '')} -> {name.text}"
        for n, name in names.items()
        if before.get(n) != name.text
    ]

"""Release, retry or discard what belongs to many studies at once.

Each thing is an action of its own (`app.node.web.actions`) with its own transaction and its own
row in the audit trail. What cannot be done is named and stops nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from app.node.journal import overview
from app.node.journal.deliveries import WITHHELD
from app.node.journal.engine import reading
from app.node.journal.rows import JobRow, Window
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.journal.studies import find_study
from app.node.web import actions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from app.node.journal.audit import Actor
    from app.node.journal.rows import DeliveryRow
    from app.node.journal.study_rows import StudyRow
    from app.node.web.site import Site

Name = Literal["release", "retry", "discard"]

MOST: Final = 500
"""Studies at once; rows of a study of each kind."""

REFUSALS: Final[Mapping[str, str]] = {
    "unknown_study": "there is no such study",
    "nothing_to_release": "nothing is held for release",
    "nothing_failed": "nothing failed",
    "nothing_to_discard": "nothing is unfinished",
    "withheld": "withheld by the quality gate: look at each before it goes out",
    "replaced": "replaced by a later result",
    "another_patient": "the study has another patient now: look at each",
    "moved": "no longer in a state in which this is possible",
}
"""Why something was not done -> words."""

_UNSENT: Final = frozenset(
    {DeliveryState.HELD, DeliveryState.QUEUED, DeliveryState.PARKED, DeliveryState.DEAD}
)
_FAILED: Final = frozenset({DeliveryState.DEAD, DeliveryState.PARKED})
_UNFINISHED: Final = frozenset({JobState.WAITING, JobState.QUEUED, JobState.RUNNING})


class _Step(NamedTuple):
    """One action, or the name of the refusal where there is none."""

    kind: str = ""
    name: str = ""
    identifier: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one study of a selection.

    Attributes
    ----------
    done : int
        Jobs, series and deliveries that were changed.
    refused : dict
        Name of `REFUSALS` -> how many were left as they are.
    """

    study_uid: str
    done: int
    refused: dict[str, int]


def act_on_studies(
    site: Site, name: Name, study_uids: Sequence[str], *, actor: Actor
) -> list[Outcome]:
    """Do one thing to everything of a selection that permits it.

    Parameters
    ----------
    site : Site
        The node.
    name : str
        ``release`` what is held, ``retry`` what failed, ``discard`` what is unfinished.
    study_uids : sequence of str
        At most `MOST` count.
    actor : Actor
        For the audit trail.

    Returns
    -------
    list of Outcome
        Of each study, in order.
    """
    return [_act(site, name, uid, actor) for uid in list(dict.fromkeys(study_uids))[:MOST]]


def _act(site: Site, name: Name, study_uid: str, actor: Actor) -> Outcome:
    with reading(site.engine) as connection:
        study = find_study(connection, study_uid)
        steps = (
            [_Step(refusal="unknown_study")]
            if study is None
            else list(_PLANS[name](connection, study))
        )
    done, refused = 0, Counter[str]()
    for step in steps:
        refusal = step.refusal
        if not refusal:
            wanted = actions.Request(
                kind=step.kind, name=step.name, identifier=step.identifier, actor=actor
            )
            if actions.take(site, wanted):
                done += 1
                continue
            refusal = "moved"
        refused[refusal] += 1
    return Outcome(study_uid=study_uid, done=done, refused=dict(refused))


def _release(connection: Connection, study: StudyRow) -> Iterator[_Step]:
    held = _deliveries(connection, study, {DeliveryState.HELD})
    if not held:
        yield _Step(refusal="nothing_to_release")
    for row in held:
        if row.replaced_by_revision is not None:
            yield _Step(refusal="replaced")
        elif row.is_of_another_patient:
            yield _Step(refusal="another_patient")
        elif row.last_error.startswith(WITHHELD):
            yield _Step(refusal="withheld")
        else:
            yield _Step("delivery", "release", row.delivery_id)


def _retry(connection: Connection, study: StudyRow) -> Iterator[_Step]:
    jobs = [row.job_id for row in _jobs(connection, study, {JobState.DEAD})]
    failed = _deliveries(connection, study, _FAILED)
    if not jobs and not failed:
        yield _Step(refusal="nothing_failed")
    for job_id in jobs:
        yield _Step("job", "replay", job_id)
    for row in failed:
        if row.replaced_by_revision is not None:
            yield _Step(refusal="replaced")
        else:
            yield _Step("delivery", "resend", row.delivery_id)


def _discard(connection: Connection, study: StudyRow) -> Iterator[_Step]:
    working = {row.series_uid for row in _jobs(connection, study, _UNFINISHED)}
    series = [
        row.series_uid
        for row in overview.series_of_study(connection, study.study_uid, limit=MOST)
        if row.state in {SeriesState.HELD, SeriesState.RECEIVING}
        or (row.state == SeriesState.ACCEPTED and row.series_uid in working)
    ]
    unsent = _deliveries(connection, study, _UNSENT)
    if not series and not unsent:
        yield _Step(refusal="nothing_to_discard")
    for uid in series:
        yield _Step("series", "discard", uid)
    for row in unsent:
        yield _Step("delivery", "discard", row.delivery_id)


def _jobs(
    connection: Connection, study: StudyRow, states: frozenset[JobState] | set[JobState]
) -> list[JobRow]:
    rows = overview.jobs_of_study(connection, study.study_uid, Window(limit=MOST))
    return [row for row in rows if row.state in states]


def _deliveries(
    connection: Connection, study: StudyRow, states: frozenset[DeliveryState] | set[DeliveryState]
) -> list[DeliveryRow]:
    rows = overview.deliveries_of_study(connection, study.study_uid, Window(limit=MOST))
    return [row for row in rows if row.state in states]


_PLANS: Final[Mapping[str, Callable[[Connection, StudyRow], Iterator[_Step]]]] = {
    "release": _release,
    "retry": _retry,
    "discard": _discard,
}

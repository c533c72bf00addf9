"""From received series to jobs: watches what arrives, and acts once it is known to be complete.

One pass (`Intake.look`) reads the series that are arriving, judges each, and moves those whose
time has come: to a job, to "not ours" with reasons, or to "held" for a person. All waiting is
measured by the monotonic clock from the moment a change was seen, so that a clock that is set
cannot shorten it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.errors import SpoolError
from app.jobs.choice import choose
from app.jobs.identity import content_digest
from app.jobs.readiness import Evidence, Readiness, Silence, Verdict, judge
from app.jobs.survey import survey
from app.journal import jobs, series
from app.journal.engine import reading, transaction
from app.journal.states import SeriesState
from app.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from sqlalchemy.engine import Connection, Engine

    from app.archive.spool import Spool
    from app.jobs.choice import Choice
    from app.jobs.identity import WorkIdentity
    from app.jobs.origin import OriginDesk
    from app.jobs.survey import Survey
    from app.journal.series import HeldObject, SeriesMark
    from app.settings import NodeSettings
    from app.telemetry.logs import Emit


class _ContentChangedError(Exception):
    """An object arrived between the decision and its transaction: undo and look again."""


@dataclass(slots=True)
class _Watch:
    """What the worker remembers of a series that is arriving."""

    mark: SeriesMark
    activity_since: float
    objects_since: float
    held: list[HeldObject] = field(default_factory=list)
    survey: Survey | None = None
    choice: Future[Choice] | None = None
    waits_for_siblings: bool = False
    noted: tuple[object, ...] = ()

    def update(self, mark: SeriesMark, now: float) -> bool:
        """Take the series as it is now; True where objects arrived since."""
        is_new = (mark.revision, mark.last_instance_at) != (
            self.mark.revision,
            self.mark.last_instance_at,
        )
        if mark.last_activity_at != self.mark.last_activity_at or is_new:
            self.activity_since = now
        self.mark = mark
        if is_new:
            self.objects_since = now
            self.survey, self.choice = None, None
        return is_new


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the intake works with.

    Attributes
    ----------
    engine : Engine
        Journal.
    node : NodeSettings
        Completeness, routes, peers.
    spool : Spool
        Received files.
    identity : WorkIdentity
        Models and parameters of this installation.
    executor : Executor
        Where headers are read, a second for a series of some hundred objects.
    clock, monotonic : callable
        Epoch seconds for what is written, monotonic seconds for what is waited for.
    emit : Emit
        Event log.
    key_of : callable
        UID -> its keyed hash for the log.
    """

    engine: Engine
    node: NodeSettings
    spool: Spool
    identity: WorkIdentity
    executor: Executor
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    emit: Emit
    key_of: Callable[[str], str]


class Intake:
    """Turns complete series into jobs."""

    def __init__(self, surroundings: Surroundings, origins: OriginDesk) -> None:
        """Keep what to work with; nothing is known of any series yet."""
        self._at = surroundings
        self._origins = origins
        self._watches: dict[str, _Watch] = {}

    def look(self) -> None:
        """One pass over all series that are arriving, and over those that are held.

        Raises
        ------
        JournalError
            If the journal does not answer; look again later.
        """
        with reading(self._at.engine) as c:
            marks = series.in_state(c, SeriesState.RECEIVING)
            held = series.in_state(c, SeriesState.HELD)
        arriving = {mark.series_uid for mark in marks}
        for uid in self._watches.keys() - arriving:
            del self._watches[uid]
        self._origins.forget(arriving, {mark.series_uid for mark in held})
        for mark in marks:
            self._consider(self._watch(mark))
        for mark in held:
            self._origins.repair(mark)

    def _watch(self, mark: SeriesMark) -> _Watch:
        now = self._at.monotonic()
        watch = self._watches.get(mark.series_uid)
        if watch is None:
            watch = _Watch(mark=mark, activity_since=now, objects_since=now)
            self._watches[mark.series_uid] = watch
        elif watch.update(mark, now):
            self._origins.ask_soon(mark.series_uid)
        return watch

    def _consider(self, watch: _Watch) -> None:
        now, limits = self._at.monotonic(), self._at.node.completeness
        silence = Silence(
            activity_s=now - watch.activity_since, objects_s=now - watch.objects_since
        )
        # Between two slices of a running transfer there is nothing to judge.
        if silence.objects_s < limits.query_after_s and not watch.mark.is_forced:
            return
        if watch.survey is None:
            with reading(self._at.engine) as c:
                watch.held = series.contents(c, watch.mark.series_uid)
            watch.survey = survey([held.facts for held in watch.held])
        if not watch.held:
            return
        readiness = judge(watch.survey, self._evidence(watch), silence, limits)
        if readiness.verdict is Verdict.WAITING:
            self._wait(watch, readiness)
        else:
            self._act(watch, readiness)

    def _evidence(self, watch: _Watch) -> Evidence:
        mark = watch.mark
        return Evidence(
            peer_count=mark.expected_count,
            is_peer_growing=mark.expected_source == "c_find_growing",
            is_broken_off=mark.is_broken_off,
            is_forced=mark.is_forced,
        )

    def _wait(self, watch: _Watch, readiness: Readiness) -> None:
        """Ask who may know, and tell the page what is waited for."""
        uid = watch.mark.series_uid
        count = self._origins.count(watch.mark)
        told = (readiness.reasons, readiness.present, readiness.expected)
        if count is None and told == watch.noted:
            return
        with transaction(self._at.engine) as c:
            if count is not None:
                series.note_peer_count(c, uid, count)
            series.note_readiness(c, uid, readiness.as_json())
        watch.noted = told

    def _act(self, watch: _Watch, readiness: Readiness) -> None:
        """Complete, or given up: find out whether the series is one to segment, then move it."""
        if watch.choice is None:
            watch.choice = self._at.executor.submit(self._choose, watch.mark, tuple(watch.held))
        if not watch.choice.done():
            return
        try:
            choice = watch.choice.result()
        except (OSError, SpoolError):
            # A file that is just being deleted by retention, or a disk that stumbles: read again.
            watch.choice, watch.survey = None, None
            return
        if not choice.is_accepted:
            self._reject(watch, readiness, choice)
        elif not readiness.is_complete:
            self._hold(watch, readiness)
        elif not self._must_wait_for_siblings(watch, choice):
            self._accept(watch, readiness, choice)

    def _choose(self, mark: SeriesMark, held: Sequence[HeldObject]) -> Choice:
        return choose(mark.series_uid, self._paths(held), lambda: self._sibling_files(mark))

    def _sibling_files(self, mark: SeriesMark) -> list[Path]:
        with reading(self._at.engine) as c:
            others = series.siblings(c, mark.study_uid, besides=mark.series_uid)
        return self._paths(others)

    def _paths(self, held: Sequence[HeldObject]) -> list[Path]:
        return [self._at.spool.absolute(item.path) for item in held]

    def _must_wait_for_siblings(self, watch: _Watch, choice: Choice) -> bool:
        """Whether an in-phase image that would be preferred may still be on its way.

        Series that wait for the same reason do not wait for each other.
        """
        if not choice.depends_on_others:
            return False
        mark = watch.mark
        with reading(self._at.engine) as c:
            others = series.arriving_siblings(c, mark.study_uid, besides=mark.series_uid)
        known = (self._watches.get(uid) for uid in others)
        if any(one is None or not one.waits_for_siblings for one in known):
            watch.waits_for_siblings = True
            return True
        if watch.waits_for_siblings:
            # What has come meanwhile may change the choice.
            watch.waits_for_siblings, watch.choice = False, None
            return True
        return False

    def _reject(self, watch: _Watch, readiness: Readiness, choice: Choice) -> None:
        with transaction(self._at.engine) as c:
            moved = series.reject(c, watch.mark, readiness.as_json(), choice.decision)
        if moved:
            self._tell(events.SERIES_REJECTED, watch, reason=",".join(choice.reasons))

    def _hold(self, watch: _Watch, readiness: Readiness) -> None:
        with transaction(self._at.engine) as c:
            moved = series.hold(c, watch.mark, readiness.as_json())
        if moved:
            self._tell(events.SERIES_HELD, watch, reason=",".join(readiness.reasons))

    def _accept(self, watch: _Watch, readiness: Readiness, choice: Choice) -> None:
        job, is_new = self._job(watch), False
        decided = (readiness.as_json(), choice.decision)
        try:
            with transaction(self._at.engine) as c:
                is_moved = series.accept(c, watch.mark, *decided)
                if is_moved:
                    is_new = _create(c, job)
        except _ContentChangedError:
            watch.survey, watch.choice = None, None
            return
        if not is_moved:
            return
        reason = ",".join(readiness.reasons)
        self._tell(events.SERIES_COMPLETE, watch, reason=reason, count=readiness.present)
        if is_new:
            self._tell(events.JOB_CREATED, watch, job=job.job_id, revision=job.revision)

    def _job(self, watch: _Watch) -> jobs.NewJob:
        mark = watch.mark
        content = content_digest(watch.held)
        route = self._at.node.route_of(mark.calling_ae_title, mark.called_ae_title)
        return jobs.NewJob(
            job_id=self._at.identity.job_id(mark.series_uid, content),
            series_uid=mark.series_uid,
            study_uid=mark.study_uid,
            revision=mark.revision,
            content_digest=content,
            priority=jobs.PRIORITIES[route.priority],
            inputs=tuple((item.sop_instance_uid, item.digest) for item in watch.held),
            created_at=self._at.clock(),
        )

    def _tell(self, event: events.Event, watch: _Watch, **values: object) -> None:
        self._at.emit(event, series=self._at.key_of(watch.mark.series_uid), **values)


def _create(c: Connection, job: jobs.NewJob) -> bool:
    """Make the job in the transaction that accepts its series, if the content is what was judged.

    Raises
    ------
    _ContentChangedError
        To undo the transaction.
    """
    if content_digest(series.contents(c, job.series_uid)) != job.content_digest:
        raise _ContentChangedError
    return jobs.create(c, job)

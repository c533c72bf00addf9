"""From received series to jobs: watches what arrives, and acts once it is known to be complete.

One pass (`Intake.look`) reads the series that are arriving, judges each, and moves those whose
time has come: to a job, to "not ours" with reasons, or to "held" for a person. All waiting is
measured by the monotonic clock from the moment a change was seen, so that a clock that is set
cannot shorten it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from app.errors import SpoolError, crash_line
from app.node.intake.choice import choose, neighbours, refuse_repeated
from app.node.intake.job_ids import content_digest, job_id_of
from app.node.intake.readiness import Evidence, Readiness, Silence, Verdict, judge
from app.node.intake.survey import survey
from app.node.intake.watch import Watch
from app.node.journal import jobs, series
from app.node.journal.engine import reading, transaction
from app.node.journal.level_inputs import level_inputs
from app.node.journal.repeated import count_repeated_uids
from app.node.journal.states import SeriesState
from app.node.lifeline import no_beat
from app.node.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from app.node.intake.choice import Choice
    from app.node.intake.origin import OriginDesk
    from app.node.intake.watch import Surroundings
    from app.node.journal.series import HeldObject, SeriesMark
    from app.node.lifeline import Beat

RETRY_S: Final = 5.0
"""Pause after a series could not be read."""

TRIES: Final = 3
"""A series on whose headers the selection fails so often is held for a person."""


class _ContentChangedError(Exception):
    """An object arrived between the decision and its transaction: undo and look again."""


class Intake:
    """Turns complete series into jobs."""

    def __init__(
        self, surroundings: Surroundings, origins: OriginDesk, sign: Beat = no_beat
    ) -> None:
        """Keep what to work with, and what to call after each series; none is known yet."""
        self._at, self._sign = surroundings, sign
        self._origins = origins
        self._watches: dict[str, Watch] = {}

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
            self._sign()
        if self._origins.can_repair:
            for mark in held:
                self._origins.repair(mark)
                self._sign()

    def _watch(self, mark: SeriesMark) -> Watch:
        now = self._at.monotonic()
        watch = self._watches.get(mark.series_uid)
        if watch is None:
            watch = Watch(mark=mark, activity_since=now, objects_since=now)
            self._watches[mark.series_uid] = watch
        elif watch.update(mark, now):
            self._origins.ask_soon(mark.series_uid)
        return watch

    def _consider(self, watch: Watch) -> None:
        now, limits = self._at.monotonic(), self._at.node.completeness
        silence = Silence(
            activity_s=now - watch.activity_since, objects_s=now - watch.objects_since
        )
        # Between two slices of a running transfer there is nothing to judge.
        is_settled = silence.objects_s >= limits.query_after_s or watch.mark.is_forced
        if not is_settled or now < watch.again_at:
            return
        if watch.survey is None:
            with reading(self._at.engine) as c:
                watch.held = series.contents(c, watch.mark.series_uid)
                watch.repeated_uids = count_repeated_uids(c, watch.mark.series_uid)
            watch.survey = survey([held.facts for held in watch.held])
        if not watch.held:
            return
        readiness = judge(watch.survey, self._evidence(watch), silence, limits)
        is_guess = readiness.reasons == ("quiet",)
        if readiness.verdict is Verdict.WAITING or (
            is_guess and self._origins.may_still_tell(watch.mark)
        ):
            self._wait(watch, readiness)
        else:
            self._act(watch, readiness)

    def _evidence(self, watch: Watch) -> Evidence:
        mark = watch.mark
        return Evidence(
            peer_count=mark.expected_count,
            is_peer_growing=mark.expected_source == "c_find_growing",
            is_broken_off=mark.is_broken_off,
            is_forced=mark.is_forced,
        )

    def _wait(self, watch: Watch, readiness: Readiness) -> None:
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

    def _act(self, watch: Watch, readiness: Readiness) -> None:
        """Complete, or given up: find out whether the series is one to segment, then move it."""
        if watch.choice is None:
            watch.choice = self._at.executor.submit(self._choose, watch.mark, tuple(watch.held))
        if not watch.choice.done():
            return
        error = watch.choice.exception()
        if error is not None:
            self._failed(watch, readiness, error)
            return
        choice = refuse_repeated(watch.choice.result(), watch.repeated_uids)
        if not choice.is_accepted:
            self._reject(watch, readiness, choice)
        elif not readiness.is_complete:
            self._hold(watch, readiness)
        elif not self._must_wait_for_siblings(watch, choice):
            self._accept(watch, readiness, choice)

    def _failed(self, watch: Watch, readiness: Readiness, error: BaseException) -> None:
        """Read again later; one series that cannot be judged must not stop the others."""
        watch.again_at = self._at.monotonic() + RETRY_S
        watch.choice, watch.survey = None, None
        if isinstance(error, OSError | SpoolError):
            # A file that retention is just deleting, or a disk that stumbles.
            return
        self._at.emit(events.INTERNAL_ERROR, role="worker", place=crash_line(error))
        watch.failures += 1
        if watch.failures >= TRIES:
            reasons = (*readiness.reasons, "selection_failed")
            self._hold(watch, replace(readiness, reasons=reasons))

    def _choose(self, mark: SeriesMark, held: Sequence[HeldObject]) -> Choice:
        paths, settings = self._paths(held), self._at.selection
        return choose(mark.series_uid, paths, lambda: self._siblings(mark, held), settings)

    def _siblings(self, mark: SeriesMark, held: Sequence[HeldObject]) -> list[Path]:
        with reading(self._at.engine) as c:
            others = series.siblings(c, mark.study_uid, besides=mark.series_uid)
        return self._paths(neighbours(held, others))

    def _paths(self, held: Sequence[HeldObject]) -> list[Path]:
        return [self._at.spool.absolute(item.path) for item in held]

    def _must_wait_for_siblings(self, watch: Watch, choice: Choice) -> bool:
        """Whether a series that would change the choice may still be on its way.

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

    def _reject(self, watch: Watch, readiness: Readiness, choice: Choice) -> None:
        with transaction(self._at.engine) as c:
            moved = series.reject(c, watch.mark, readiness.as_json(), choice.decision)
        if moved:
            self._tell(events.SERIES_REJECTED, watch, reason=",".join(choice.reasons))

    def _hold(self, watch: Watch, readiness: Readiness) -> None:
        with transaction(self._at.engine) as c:
            moved = series.hold(c, watch.mark, readiness.as_json())
        if moved:
            self._tell(events.SERIES_HELD, watch, reason=",".join(readiness.reasons))

    def _accept(self, watch: Watch, readiness: Readiness, choice: Choice) -> None:
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

    def _job(self, watch: Watch) -> jobs.NewJob:
        mark = watch.mark
        content = content_digest(watch.held)
        with reading(self._at.engine) as c:
            words = level_inputs(c, mark.series_uid, content).words
        route = self._at.node.route_of(mark.calling_ae_title, mark.called_ae_title)
        return jobs.NewJob(
            job_id=job_id_of(self._at.identity, mark.series_uid, content, words),
            series_uid=mark.series_uid,
            study_uid=mark.study_uid,
            revision=mark.revision,
            content_digest=content,
            priority=jobs.PRIORITIES[route.priority],
            inputs=tuple((item.sop_instance_uid, item.digest) for item in watch.held),
            created_at=self._at.clock(),
        )

    def _tell(self, event: events.Event, watch: Watch, **values: object) -> None:
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

"""An intake whose time is a number: fifteen minutes of waiting in a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.node.archive.spool import Spool
from app.node.intake.arriving import Intake
from app.node.intake.origin import OriginDesk, Questions
from app.node.intake.watch import Surroundings
from app.node.journal import overview, series
from app.node.journal.arrivals import association_ended
from app.node.journal.engine import reading, transaction
from app.node.telemetry.events import Event
from app.settings import NodeSettings
from operators.dicom.identity.provenance import WorkIdentity
from operators.dicom.selection.series_selection import SelectionSettings
from tests.builders.journals import empty_journal
from tests.builders.received import Inbox

IDENTITY = WorkIdentity(
    semantic_digest="a1",
    instance_digest="b2",
    software_version="0.1.0",
    numeric_profile="auto-auto",
)


class AtOnce(Executor):
    """Runs what is submitted before it answers."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - what an executor does
            future.set_exception(error)
        return future


@dataclass
class PeerDouble:
    """A peer that is asked: `count` it answers, `deliver` what a C-MOVE makes it send."""

    count: int | None = None
    error: Exception | None = None
    deliver: Callable[[], object] = field(default=lambda: None)
    asked_at: list[float] = field(default_factory=list)
    moves: int = 0


class VirtualIntake:
    """Spool, journal and intake below one folder; `now` is both clocks."""

    def __init__(self, data: Path, **node: Any) -> None:
        self.now = 0.0
        self.engine = empty_journal(data)
        self.node = NodeSettings(data=data, **node)
        self.inbox = Inbox(self.engine, data)
        self.peer = PeerDouble()
        self.told: list[tuple[int, dict[str, object]]] = []
        self.executor = AtOnce()
        self.intake = self.restarted()

    def restarted(self) -> Intake:
        """An intake that knows nothing but the journal, as after a restart of the worker."""
        surroundings = Surroundings(
            engine=self.engine,
            node=self.node,
            spool=Spool(self.node.data / "spool"),
            identity=IDENTITY,
            selection=SelectionSettings(),
            executor=self.executor,
            clock=lambda: self.now,
            monotonic=lambda: self.now,
            emit=self._emit,
            key_of=lambda uid: f"key of {len(uid)}",
        )
        origins = OriginDesk(
            node=self.node,
            executor=self.executor,
            monotonic=lambda: self.now,
            emit=self._emit,
            key_of=lambda uid: f"key of {len(uid)}",
            questions=Questions(lambda *_: self._count(), lambda *_: self._move()),
        )
        return Intake(surroundings, origins)

    def receive(self, files: Iterable[Path]) -> None:
        self.inbox.now = self.now
        self.inbox.receive(files)

    def end_association(self, series_uid: str, *, is_released: bool) -> None:
        with transaction(self.engine) as c:
            association_ended(c, [series_uid], self.now, is_released=is_released)

    def wait(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass, looking every `step` seconds."""
        for _ in range(round(seconds / step)):
            self.now += step
            self.intake.look()

    def jobs(self) -> list[overview.JobRow]:
        """All jobs, the oldest first."""
        with reading(self.engine) as c:
            return overview.list_jobs(c, overview.Window())[::-1]

    def series(self, series_uid: str) -> overview.SeriesRow:
        with reading(self.engine) as c:
            found = overview.find_series(c, series_uid)
        assert found is not None
        return found

    def state(self, series_uid: str) -> str:
        return self.series(series_uid).state

    def force(self, series_uid: str) -> bool:
        with transaction(self.engine) as c:
            return series.force(c, series_uid, self.now)

    def numbers(self) -> list[int]:
        """Numbers of the events told."""
        return [number for number, _ in self.told]

    def _emit(self, event: Event, **values: object) -> None:
        assert not values.keys() - set(event.fields), event
        self.told.append((event.number, values))

    def _count(self) -> int | None:
        self.peer.asked_at.append(self.now)
        if self.peer.error is not None:
            raise self.peer.error
        return self.peer.count

    def _move(self) -> None:
        self.peer.moves += 1
        self.peer.deliver()

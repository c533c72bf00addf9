"""Looks after the one inference child of a worker: starts it, hands it work, replaces it.

It lives in a thread of its own, because the child dies with the thread that started it
(`app.signals.die_with_parent`) and because the engine's event loop is not ours. Its methods may
be awaited from any event loop.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from app.errors import InferenceLostError
from app.node.inference.process import CANCELLED, START_TIMEOUT_S, InferenceProcess
from app.node.telemetry import events
from app.node.telemetry.logs import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from app.node.inference.process import OnProgress
    from app.node.inference.protocol import Ready, Request
    from app.node.telemetry.logs import Emit
    from app.settings import Settings, WorkerSettings

_T = TypeVar("_T")


def child_command(settings: Settings) -> tuple[str, ...]:
    """Command line of the real child.

    Parameters
    ----------
    settings : Settings
        Which networks it loads, where and how they run, and what is worth segmenting.

    Returns
    -------
    tuple of str
        For `Supervisor`. The settings go along as text, so that parent and child never read two
        versions of one file.
    """
    sections = {
        "--models": settings.models,
        "--inference": settings.inference,
        "--selection": settings.selection,
    }
    told = (
        word for name, section in sections.items() for word in (name, section.model_dump_json())
    )
    return (sys.executable, "-m", "app.node.inference.child", *told)


class Supervisor:
    """The worker's way to the networks: one request at a time, in a child that may die.

    Parameters
    ----------
    command : sequence of str
        What to run as the child: `child_command`, or a stand-in that speaks the same protocol.
    settings : WorkerSettings
        Time-out of a request and memory limit.
    emit : Emit
        Event log.
    start_timeout_s : float
        How long models may take to load, s.
    """

    def __init__(
        self,
        command: Sequence[str],
        settings: WorkerSettings,
        emit: Emit = silent,
        *,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        """Start the thread; the child starts with `start` or the first request."""
        self._command, self._settings, self._emit = tuple(command), settings, emit
        self._start_timeout_s = start_timeout_s
        self._turn = asyncio.Lock()
        self._child: InferenceProcess | None = None
        self._is_closing = False
        self.start_failure: tuple[str, ...] = ()
        """Reasons why the last child that was to start did not come up; empty where it did."""
        self._background: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name="inference", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> Ready | None:
        """What the running child said about itself; None while there is none."""
        child = self._child
        return None if child is None else child.ready

    @property
    def pid(self) -> int | None:
        """Process id of the running child."""
        child = self._child
        return None if child is None else child.pid

    def knock(self, answer: Callable[[], None]) -> None:
        """Have `answer` called in the supervisor's thread, unless that hangs."""
        with suppress(RuntimeError):  # closed
            self._loop.call_soon_threadsafe(answer)

    async def start(self) -> None:
        """Have a child with loaded models before the first request needs it.

        Raises
        ------
        InferenceLostError
            If it does not come up.
        """
        self._check_open()
        await self._over_there(self._start())

    async def run(self, request: Request, on_progress: OnProgress | None = None) -> dict[str, Any]:
        """Have one request worked on; waits its turn, and for the models where need be.

        Parameters
        ----------
        request : Request
            What to do.
        on_progress : callable, optional
            Told (step, fraction) in the supervisor's thread, at most some times a second. What it
            raises ends the child and is raised here.

        Returns
        -------
        dict
            `app.run.record.ResultRecord` as a dict; its ``exit_code`` is the verdict on the study.

        Raises
        ------
        InferenceLostError
            If the child died, hung or used too much memory; ``reasons`` holds ``signal N``,
            ``exit N``, ``timeout``, ``stalled``, ``hung``, ``memory``, ``protocol`` or ``closed``,
            after ``start`` where it had not come up yet, and before the error code of its last
            words. A new child is started behind the scenes.

        Notes
        -----
        Cancelling the task kills the child; the cancellation takes effect when it is gone.
        """
        self._check_open()
        return await self._over_there(self._run(request, on_progress))

    async def close(self) -> None:
        """End the child and the thread. A request that still runs is lost."""
        if self._is_closing:
            return
        self._is_closing = True
        await self._over_there(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)

    async def _over_there(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await `work` in the supervisor's thread; cancelled, return only when it has ended."""
        outcome: Future[_T] = Future()
        tasks: list[asyncio.Task[_T]] = []

        def begin() -> None:
            task = self._loop.create_task(work)
            task.add_done_callback(lambda done: _hand_over(done, outcome))
            tasks.append(task)

        def end() -> None:
            tasks[0].cancel()  # begun before: the loop keeps the order of what it is called with

        self._loop.call_soon_threadsafe(begin)
        here = asyncio.wrap_future(outcome)
        try:
            return await asyncio.shield(here)
        except asyncio.CancelledError:
            if not here.done():
                with suppress(RuntimeError):  # the thread ended meanwhile, and all its tasks
                    self._loop.call_soon_threadsafe(end)
                await asyncio.wait({here})
            raise

    def _live(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(_abandon_tasks())
            self._loop.close()

    async def _start(self) -> None:
        async with self._turn:
            await self._running()

    async def _run(self, request: Request, on_progress: OnProgress | None) -> dict[str, Any]:
        async with self._turn:
            return await (await self._running()).ask(request, on_progress)

    async def _close(self) -> None:
        child = self._child
        if child is not None and self._turn.locked():
            child.kill("closed")
        async with self._turn:
            if self._child is not None and self._child.is_usable:
                await self._child.end()
        await asyncio.gather(*self._background)

    def _check_open(self) -> None:
        if self._is_closing:
            raise InferenceLostError("the inference process was closed", reasons=("closed",))

    async def _running(self) -> InferenceProcess:
        self._check_open()
        if self._child is not None and self._child.is_usable:
            return self._child
        begun = time.monotonic()
        try:
            child = await InferenceProcess.spawn(self._command, self._settings)
            self._child = child  # before it has loaded, so that `close` can end it
            ready = await child.load(self._start_timeout_s)
        except InferenceLostError as error:
            # A child that is ended while it loads, because the worker ends, says nothing of models.
            self.start_failure = () if self._is_closing else error.reasons
            self._emit(events.INFERENCE_LOST, reason=", ".join(error.reasons))
            raise
        self.start_failure = ()
        duration_s = round(time.monotonic() - begun, 3)
        self._emit(events.INFERENCE_READY, profile=ready.profile, duration_s=duration_s)
        self._in_background(self._replace_after_end(child))
        return child

    async def _replace_after_end(self, child: InferenceProcess) -> None:
        """Notice the end of a child, also of an idle one, and start the next one."""
        await child.wait()
        if self._child is child:
            self._child = None
        if self._is_closing:
            return
        if CANCELLED not in child.reasons:
            self._emit(events.INFERENCE_LOST, reason=", ".join(child.reasons))
        # One that dies before it was of use would only do so again: wait for the next request.
        if child.served:
            self._in_background(self._restart())

    async def _restart(self) -> None:
        try:
            await self._start()
        except InferenceLostError:
            return  # told by an event; the next request tries again

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _hand_over(task: asyncio.Task[_T], outcome: Future[_T]) -> None:
    """Pass on how a task ended."""
    if task.cancelled():
        outcome.cancel()
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


async def _abandon_tasks() -> None:
    """Cancel whatever came in too late, so that nobody waits for it for ever."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)

"""One inference child from its start to its end: limits on time and memory, reason of a loss.

Everything that goes wrong ends in the same way: the process is killed (or has died), its pipe
ends, and whoever waits for an answer gets `InferenceLostError` with a named reason.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.errors import InferenceLostError, ProtocolError
from app.node.inference.protocol import (
    LONGEST_LINE,
    Done,
    Failed,
    Progress,
    Ready,
    decode_answer,
    encode,
)
from app.node.inference.vitals import LOOK_S, Silence, usage_of

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Coroutine, Sequence

    from app.node.inference.protocol import Answer, Request
    from app.settings import WorkerSettings

OnProgress = Callable[[str, float], None]
"""Told (step, fraction done)."""

_T = TypeVar("_T")

START_TIMEOUT_S: Final = 300.0
"""Loading models from a slow disk on a busy machine."""
CANCELLED: Final = "cancelled"

_END_TIMEOUT_S: Final = 5.0
_MEGABYTE: Final = 1024 * 1024


class InferenceProcess:
    """A running child; made by `spawn`, used for one request at a time."""

    def __init__(self, process: Process, settings: WorkerSettings) -> None:
        """Watch a process that was just started; `spawn` is the way to get one."""
        if process.stdin is None or process.stdout is None:
            raise InferenceLostError("the inference process has no pipes", reasons=("start",))
        self._process, self._settings = process, settings
        self._stdin, self._stdout = process.stdin, process.stdout
        self._loop = asyncio.get_running_loop()
        self._kill_reason = ""
        self._last_words: Failed | None = None
        self._silence = Silence()
        self._watch = self._loop.create_task(self._keep_watch())
        self.ready: Ready | None = None
        self.served = 0

    @classmethod
    async def spawn(cls, command: Sequence[str], settings: WorkerSettings) -> InferenceProcess:
        """Start a child.

        Parameters
        ----------
        command : sequence of str
            What to run; it speaks `app.node.inference.protocol`.
        settings : WorkerSettings
            Time-out of a request and memory limit.

        Returns
        -------
        InferenceProcess
            Still loading: await `load`.

        Raises
        ------
        InferenceLostError
            If there is no such program.

        Notes
        -----
        Call it from a thread that lives as long as this process: see
        `app.signals.die_with_parent`. Standard error of the child is thrown away, because
        libraries write patient data there; its last words come as `Failed`.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                limit=LONGEST_LINE,
                start_new_session=True,
            )
        except OSError as error:
            raise InferenceLostError(
                f"the inference process cannot be started: {error.strerror}", reasons=("start",)
            ) from error
        return cls(process, settings)

    async def load(self, timeout_s: float) -> Ready:
        """Wait until its models are loaded.

        Parameters
        ----------
        timeout_s : float
            For this alone.

        Returns
        -------
        Ready
            What it says about itself.

        Raises
        ------
        InferenceLostError
            If it dies, says something else, or takes too long; the first of the ``reasons`` is
            ``start``, since no request has to do with it.
        """
        try:
            answer = await self._within(timeout_s, "start_timeout", self._next())
            if not isinstance(answer, Ready):
                raise await self._broken()
        except InferenceLostError as error:
            raise InferenceLostError(error.message, reasons=("start", *error.reasons)) from error
        self.ready = answer
        return answer

    @property
    def is_usable(self) -> bool:
        """Neither dead nor about to be."""
        return self._process.returncode is None and not self._kill_reason

    @property
    def pid(self) -> int:
        """Process id, also of its process group."""
        return self._process.pid

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it ended: ours (``timeout``, ``memory`` ...) or its own; then the last error code."""
        code = self._process.returncode or 0
        its_own = f"signal {-code}" if code < 0 else f"exit {code}"
        said = () if self._last_words is None else (self._last_words.code,)
        return (self._kill_reason or its_own, *said)

    async def ask(self, request: Request, on_progress: OnProgress | None) -> dict[str, Any]:
        """Have one request worked on.

        Parameters
        ----------
        request : Request
            What to do.
        on_progress : callable or None
            Told (step, fraction); what it raises ends the process and is passed on.

        Returns
        -------
        dict
            The result record.

        Raises
        ------
        InferenceLostError
            If the process dies, is killed by a limit, or answers nonsense.
        """
        timeout_s = self._settings.inference_timeout_s
        return await self._within(timeout_s, "timeout", self._converse(request, on_progress))

    async def end(self) -> None:
        """Ask it to end by the end of its input; kill it where that does not help."""
        self._stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_TIMEOUT_S)
        except TimeoutError:
            self.kill("closed")
        await self.wait()

    async def wait(self) -> None:
        """Wait for its end."""
        await self._process.wait()
        self._watch.cancel()

    def kill(self, reason: str) -> None:
        """End the process and whatever it started, at once; the first reason counts."""
        if self._process.returncode is None:
            self._kill_reason = self._kill_reason or reason
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _within(self, timeout_s: float, reason: str, answer: Coroutine[Any, Any, _T]) -> _T:
        """Await `answer`; whatever ends that early, a cancellation included, ends the process."""
        alarm = self._loop.call_later(timeout_s, self.kill, reason)
        self._silence = Silence(is_awaited=True)
        try:
            return await answer
        except BaseException:
            self.kill(CANCELLED)
            await self.wait()
            raise
        finally:
            alarm.cancel()
            self._silence = Silence()

    async def _converse(self, request: Request, on_progress: OnProgress | None) -> dict[str, Any]:
        try:
            self._stdin.write(encode(request))
            await self._stdin.drain()
        except ConnectionError:
            raise await self._lost() from None
        while True:
            match await self._next():
                case Progress(job_id=request.job_id, step=step, fraction=fraction):
                    if on_progress is not None:
                        on_progress(step, fraction)
                case Done(job_id=request.job_id, record=record):
                    self.served += 1
                    return record
                case _:
                    raise await self._broken()

    async def _next(self) -> Answer:
        try:
            line = await self._stdout.readline()
            if not line:
                raise await self._lost()
            answer = decode_answer(line)
            self._silence.untold_s = 0.0
        except (ProtocolError, ValueError):  # ValueError: a line beyond the limit
            raise await self._broken() from None
        if isinstance(answer, Failed):
            self._last_words = answer
            raise await self._lost()
        return answer

    async def _broken(self) -> InferenceLostError:
        self.kill("protocol")
        return await self._lost()

    async def _lost(self) -> InferenceLostError:
        # The pipe ends a moment before the process: its exit status shall be its own.
        try:
            await asyncio.wait_for(self._process.wait(), _END_TIMEOUT_S)
        except TimeoutError:
            self.kill("protocol")
        await self.wait()
        text = f"the inference process was lost: {', '.join(self.reasons)}"
        if self._last_words is not None:
            text = f"{text}: {self._last_words.message}"
        return InferenceLostError(text, reasons=self.reasons)

    async def _keep_watch(self) -> None:
        """Look at its memory and its processor time; `_within` looks at the time it takes."""
        limit = self._settings.memory_limit_mb * _MEGABYTE
        while self._process.returncode is None:
            used = usage_of(self._process.pid)
            if used.resident_bytes > limit:
                self.kill("memory")
            self._silence.look(used.processor_s)
            if self._silence.idle_s > self._settings.inference_idle_s:
                self.kill("hung")
            if self.ready and self._silence.untold_s > self._settings.inference_stall_s:
                self.kill("stalled")
            await asyncio.sleep(LOOK_S)

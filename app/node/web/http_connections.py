"""Connections that cannot keep others out: no silent, slow or greedy client takes the page down.

uvicorn limits only how long a connection may rest between two requests. What is missing stands
here: a whole request has to come in time, an answer has to be taken in time, and where there are
too many connections the one that has been idle longest goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

    from app.node.lifeline import Beat

REQUEST_S: Final = 10.0
"""How long a request may take to come whole, from the connection or its first byte on, s."""
ANSWER_S: Final = 30.0
"""How long a client may take nothing of an answer, s."""
_TICKS_PER_S: Final = 10
MOST_OF_ONE_ADDRESS: Final = 128
MOST: Final = 512
"""Connections. Half of the descriptors that a process has by default."""

_UNFINISHED: Final = frozenset({h11.IDLE, h11.SEND_BODY})


class DoorProtocol(H11Protocol):
    """One HTTP/1.1 connection."""

    is_leaving = False
    _request: asyncio.TimerHandle | None = None
    _answer: asyncio.TimerHandle | None = None
    _quiet_since = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being answered."""
        # None until the first request, whatever uvicorn's annotation says.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    @property
    def address(self) -> str:
        """Where it comes from."""
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, and another one out where there are too many."""
        super().connection_made(transport)
        self._quiet_since = self.loop.time()
        self._request = self.loop.call_later(REQUEST_S, self._end_unfinished)
        others = [one for one in self.connections if isinstance(one, DoorProtocol)]
        make_room(self, others)

    def data_received(self, data: bytes) -> None:
        """Take what came; a request that has begun has to end in time."""
        if self._request is None:
            self._request = self.loop.call_later(REQUEST_S, self._end_unfinished)
        super().data_received(data)
        if self.conn.their_state not in _UNFINISHED:
            self._request.cancel()
            self._request = None

    def on_response_complete(self) -> None:
        """Rest until the next request, or begin with one that is there already."""
        self._quiet_since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait for the client to take what is there."""
        super().pause_writing()
        self._answer = self.loop.call_later(ANSWER_S, self.leave)

    def resume_writing(self) -> None:
        """Go on: the client has taken something."""
        super().resume_writing()
        if self._answer is not None:
            self._answer.cancel()
            self._answer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        for timer in (self._request, self._answer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def leave(self) -> None:
        """End it at once."""
        self.is_leaving = True
        self.transport.abort()

    def _end_unfinished(self) -> None:
        self._request = None
        if self.conn.their_state in _UNFINISHED:
            self.leave()

    @property
    def quiet_since(self) -> float:
        """When it came or was answered last, seconds of the loop's clock."""
        return self._quiet_since


def make_room(newcomer: DoorProtocol, connections: Iterable[DoorProtocol]) -> None:
    """Let the longest idle connection go where there are too many; else the newcomer.

    Parameters
    ----------
    newcomer : DoorProtocol
        Just accepted.
    connections : iterable of DoorProtocol
        All there are, the newcomer among them.
    """
    staying = [one for one in connections if not one.is_leaving]
    of_one = [one for one in staying if one.address == newcomer.address]
    for group, most in ((of_one, MOST_OF_ONE_ADDRESS), (staying, MOST)):
        if len(group) > most:
            idle = (one for one in group if one.is_idle and one is not newcomer)
            min(idle, key=lambda one: one.quiet_since, default=newcomer).leave()
            return


class BeatingServer(uvicorn.Server):
    """uvicorn, showing a sign of life while its event loop goes round.

    Parameters
    ----------
    config : uvicorn.Config
        Of the server.
    beat : Beat
        Called ten times a second.
    each_second : callable
        Called once a second; short.
    """

    def __init__(self, config: uvicorn.Config, beat: Beat, each_second: Callable[[], None]) -> None:
        super().__init__(config)
        self._beat, self._each_second = beat, each_second

    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second."""
        self._beat()
        if counter % _TICKS_PER_S == 0:
            self._each_second()
        return await super().on_tick(counter)

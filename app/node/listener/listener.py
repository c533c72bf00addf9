"""The listener process: binds the port, lets associations in, and ends tidily."""

from __future__ import annotations

import ctypes
import errno
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypedDict

from pydicom.config import disable_value_validation

from app.errors import ConfigurationError, crash_line
from app.node.archive.disk import DiskReserve
from app.node.archive.spool import Spool
from app.node.delivery.commitment import take_report
from app.node.journal.arrivals import forget_associations
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.processes import beat_period_s
from app.node.lifeline import no_beat
from app.node.listener.admission import Admission
from app.node.listener.association import AcceptedAssociation
from app.node.listener.handlers import StorageHandler
from app.node.listener.maintenance import HANDOVER_POLL_S, HANDOVER_S, Maintenance, alone
from app.node.listener.recorder import Recorder
from app.node.listener.services import ListenerServices
from app.node.listener.terms import Terms
from app.node.listener.transport import Ports, TransportAcceptor
from app.node.telemetry import events
from app.node.telemetry.logs import quiet_foreign_logs, site_secret
from app.node.tls import server_context
from operators.dicom.reading.frames import PARSE_ERRORS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

    from app.node.lifeline import Beat
    from app.node.listener.transport import TransportConnection
    from app.node.peers.commitment import CommitmentReport
    from app.node.telemetry.logs import Emit
    from app.settings import ListenerSettings, NodeSettings

_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3
"""Parameters of mallopt(3)."""
_BUFFER_BYTES: Final = 1 << 16

_CLOSING_S: Final = 10.0
"""How long associations may finish after the stop; then they are aborted, s."""


def _never() -> None:
    """Keep the settings."""


def serve_listener(
    node: NodeSettings,
    *,
    stop: threading.Event,
    ready: Callable[[int], None],
    emit: Emit,
    beat: Beat = no_beat,
    renewed: Callable[[], NodeSettings | None] = _never,
) -> None:
    """Receive objects until told to stop.

    Parameters
    ----------
    node : NodeSettings
        Port, titles, limits, data folder.
    stop : threading.Event
        Set: no new association; those that are open may finish for 10 s.
    ready : callable
        Called with the port once connections are accepted.
    emit : Emit
        The log.
    beat : Beat
        Called while the ports are watched.
    renewed : callable
        Asked as often: new settings, once, or None. Host, port, data folder and database of the
        first ones stay.

    Raises
    ------
    ConfigurationError
        If the address cannot be bound.
    RoleTakenError
        If another listener works on the data folder.
    JournalError
        If the journal cannot be opened.
    """
    quiet_foreign_logs()
    _share_one_heap()
    engine = open_journal(journal_url(node.data, node.database_url))
    try:
        spool = Spool(node.data / "spool")
        services = ListenerServices(
            admission=Admission(node.listener),
            spool=spool,
            reserve=DiskReserve(spool.root, node.retention.disk_reserve_mb, emit=emit),
            recorder=Recorder(engine, spool),
            emit=emit,
            secret=site_secret(node.data),
            clock=time.time,
            **_named(node, engine, emit),
        )
        # pydicom would warn about an odd value on standard error, by quoting it.
        turn = _Turn(stop, ready, beat, renewed)
        with disable_value_validation(), alone(node.data):
            _serve(node, services, engine, turn=turn)
    finally:
        engine.dispose()


class _Named(TypedDict):
    peer_names: dict[str, str]
    dropped_classes: frozenset[str]
    keeps_patients: bool
    take_report: Callable[[CommitmentReport], int]


def _named(node: NodeSettings, engine: Engine, emit: Emit) -> _Named:
    """Peers and SOP classes by name, and what becomes of reports, as the settings have it."""
    return {
        "peer_names": {peer.ae_title: peer.name for peer in node.entities},
        "dropped_classes": frozenset(node.listener.dropped_sop_classes),
        "keeps_patients": node.patients.keep,
        "take_report": partial(
            take_report, engine, settings=node.delivery, clock=time.time, emit=emit
        ),
    }


@dataclass(frozen=True, slots=True)
class _Turn:
    """When to end, whom to tell, and by which settings to go on."""

    stop: threading.Event
    ready: Callable[[int], None]
    beat: Beat
    renewed: Callable[[], NodeSettings | None]


def _serve(node: NodeSettings, services: ListenerServices, engine: Engine, turn: _Turn) -> None:
    server = AssociationServer(Terms.of(node.listener, services))
    acceptor = _bind(node.listener, server, turn.stop)
    # No other listener is at work on this folder: what lies there is left over.
    swept = services.spool.sweep_incoming()
    if swept:
        services.emit(events.SPOOL_SWEPT, count=swept)
    with transaction(engine) as connection:
        forget_associations(connection)
    maintenance = Maintenance(services, engine, acceptor.port, beat_period_s(node.worker.lease_s))
    thread = threading.Thread(target=maintenance.keep, args=(turn.stop,), daemon=True)
    thread.start()
    turn.ready(acceptor.port)

    def look() -> None:
        turn.beat()
        new = turn.renewed()
        if new is not None:
            services.admission.renew(new.listener)
            services.reserve.renew(new.retention.disk_reserve_mb)
            acceptor.patience_s = new.listener.acse_timeout_s
            acceptor.context = _context(new.listener)
            maintenance.period_s = beat_period_s(new.worker.lease_s)
            server.renew(
                Terms.of(new.listener, replace(services, **_named(new, engine, services.emit)))
            )

    acceptor.serve(turn.stop, look)
    server.close()
    thread.join()
    services.recorder.flush()
    if maintenance.damage is not None:
        raise maintenance.damage


class AssociationServer:
    """Gives every connection that asks for an association a thread of its own.

    Parameters
    ----------
    terms : Terms
        On which it does.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._lock = threading.Lock()
        self._open: dict[AcceptedAssociation, threading.Thread] = {}

    def renew(self, terms: Terms) -> None:
        """Give associations that begin from now on other terms."""
        self._terms = terms

    def tls_failed(self, address: str, reason: str) -> None:
        """Put on record that no TLS connection came about."""
        StorageHandler(self._terms.services, address).tls_failed(reason)

    def connected(self, transport: TransportConnection) -> None:
        """Serve a connection whose request has come."""
        thread = threading.Thread(
            target=self._run, args=(transport,), name="association", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            # The system gives no more threads: this peer has to come again, the ports stay open.
            transport.connection.close()

    def close(self) -> None:
        """Let open associations finish, then abort those that do not."""
        deadline = time.monotonic() + _CLOSING_S
        for thread in self._associations().values():
            thread.join(max(0.0, deadline - time.monotonic()))
        for association, thread in self._associations().items():
            association.abort()
            thread.join(1)

    def _associations(self) -> dict[AcceptedAssociation, threading.Thread]:
        with self._lock:
            return dict(self._open)

    def _run(self, transport: TransportConnection) -> None:
        terms = self._terms
        handler = StorageHandler(terms.services, transport.address, transport.names)
        association = None
        try:
            association = AcceptedAssociation(
                terms.entity,
                transport=transport,
                contexts=terms.contexts,
                handler=handler,
            )
            with self._lock:
                self._open[association] = threading.current_thread()
            association.serve()
        except PARSE_ERRORS as error:
            terms.services.emit(events.INTERNAL_ERROR, role="listener", place=crash_line(error))
        finally:
            transport.connection.close()
            handler.leave(is_released=association is not None and association.is_released)
            if association is not None:
                with self._lock:
                    self._open.pop(association, None)


def _share_one_heap() -> None:
    """Let all threads allocate from one arena of glibc's malloc, and buffers from none.

    By default each new thread may get an arena of its own, and buffers are soon taken from them,
    too. What thousands of associations leave behind there adds up to megabytes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _BUFFER_BYTES)


def _bind(
    settings: ListenerSettings, server: AssociationServer, stop: threading.Event
) -> TransportAcceptor:
    """Bind; a listener that is started again waits for the one before it to be gone."""
    deadline = time.monotonic() + HANDOVER_S
    while True:
        try:
            return TransportAcceptor(
                Ports(host=settings.host, plain=settings.port, tls=settings.tls_port),
                server,
                patience_s=settings.acse_timeout_s,
                context=_context(settings),
            )
        except OSError as error:
            is_taken = error.errno == errno.EADDRINUSE
            if not is_taken or time.monotonic() > deadline or stop.wait(HANDOVER_POLL_S):
                raise ConfigurationError(
                    f"listener: {settings.host}:{_numbers(settings)} cannot be bound "
                    f"(error {error.errno})"
                ) from error


def _context(settings: ListenerSettings) -> ssl.SSLContext | None:
    return None if settings.tls is None else server_context(settings.tls)


def _numbers(settings: ListenerSettings) -> str:
    return " or ".join(str(port) for port in (settings.port, settings.tls_port) if port is not None)

"""The audit trail's copy on the audit server: every row, in order, at least once.

RFC 5425 knows no acknowledgement. A connection is therefore closed after its rows, and they count
as sent where the server closes its side, too (RFC 5246, 7.2.1; RFC 8446, 6.1): it has read to the
end then. Anything else sends them again.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.errors import AuditNotSentError, ConfigurationError, JournalError
from app.node.journal import alert_channels, audit_chain
from app.node.journal.engine import reading, transaction
from app.node.people.audit_messages import syslog_message
from app.node.telemetry import events
from app.node.tls import client_context

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Engine

    from app.node.journal.audit_chain import ChainedDeed
    from app.node.telemetry.logs import Emit
    from app.settings.audit import SyslogSettings

CHANNEL: Final = "audit"
"""As which a failing server needs a person, beside mail and webhook."""
_BATCH: Final = 500
_ACCEPTANCE_S = 1.0
"""A server that sends no ticket delays a batch by so long; one that refuses answers within a round
trip."""

_SLOWER: Final = 6.0
"""Times the usual pause after a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCopy:
    """Sends new rows of the audit trail; used by one thread.

    Attributes
    ----------
    engine : Engine
        Journal.
    server : SyslogSettings
        Where they go.
    source : str
        AE title of the node.
    clock : callable
        Epoch seconds.
    emit : Emit
        Event log.
    """

    engine: Engine
    server: SyslogSettings
    source: str
    clock: Callable[[], float]
    emit: Emit

    def start(self, stop: threading.Event) -> threading.Thread:
        """Run in a thread of its own until `stop` is set."""
        thread = threading.Thread(target=self.run, args=(stop,), name="audit copy", daemon=True)
        thread.start()
        return thread

    def run(self, stop: threading.Event) -> None:
        """Look again and again; a journal that is away is asked again."""
        pause_s = 0.0
        while not stop.wait(pause_s):
            is_well = True
            with suppress(JournalError):
                is_well = self.tick()
            pause_s = self.server.every_s * (1.0 if is_well else _SLOWER)

    def tick(self) -> bool:
        """Send what is new.

        Returns
        -------
        bool
            False where the server did not take it.

        Raises
        ------
        JournalError
            If the journal does not answer.
        """
        while rows := self._new_rows():
            try:
                send_all(self.server, rows, self.source)
            except AuditNotSentError as error:
                self._note_failure(error.reasons[0])
                return False
            with transaction(self.engine) as c:
                audit_chain.note_sent(c, rows[-1].link)
                alert_channels.make_known(c, CHANNEL)
                alert_channels.note_sent(c, CHANNEL, self.clock())
            self.emit(events.AUDIT_SENT, count=len(rows))
        return True

    def _new_rows(self) -> list[ChainedDeed]:
        with reading(self.engine) as c:
            return audit_chain.rows_after(c, audit_chain.sent_until(c), _BATCH)

    def _note_failure(self, error: str) -> None:
        now = self.clock()
        with transaction(self.engine) as c:
            alert_channels.make_known(c, CHANNEL)
            retry_at = now + self.server.every_s * _SLOWER
            alert_channels.note_failure(c, CHANNEL, now, error=error, retry_at=retry_at)
        self.emit(events.AUDIT_NOT_SENT, error=error)


def send_all(server: SyslogSettings, rows: Sequence[ChainedDeed], source: str) -> None:
    """Send rows over one connection, and wait for the server to close its side.

    Parameters
    ----------
    server : SyslogSettings
        Where they go.
    rows : sequence of ChainedDeed
        In their order.
    source : str
        AE title of the node.

    Raises
    ------
    AuditNotSentError
        ``connection_failed``, ``tls_failed``, ``certificate_refused``, ``settings_unusable`` or
        ``not_taken``.
    """
    host = socket.gethostname()
    frames = b"".join(syslog_message(row, host=host, source=source) for row in rows)
    try:
        context = client_context(server.tls)
    except ConfigurationError as error:
        raise AuditNotSentError(reasons=("settings_unusable",)) from error
    address, name = (server.host, server.port), server.tls.server_name or server.host
    try:
        with (
            socket.create_connection(address, timeout=server.timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            _await_acceptance(connection)
            _hand_over(connection, frames)
    except ssl.SSLCertVerificationError as error:
        raise AuditNotSentError(reasons=("certificate_refused",)) from error
    except ssl.SSLError as error:
        raise AuditNotSentError(reasons=("tls_failed",)) from error
    except OSError as error:
        raise AuditNotSentError(reasons=("connection_failed",)) from error


def _await_acceptance(connection: ssl.SSLSocket) -> None:
    """Read what the server says of our certificate, or of its absence.

    In TLS 1.3 it does so after our side of the handshake is over (RFC 8446, 4.4.2.4), and a refusal
    that is read behind our own "close notify" looks like an orderly end. Servers that take us send
    session tickets then, or nothing.
    """
    if connection.version() != "TLSv1.3":
        return
    allowed_s = connection.gettimeout()
    select.select([connection], [], [], _ACCEPTANCE_S)
    connection.settimeout(0)
    try:
        if not connection.recv(1):
            raise AuditNotSentError(reasons=("not_taken",))
    except ssl.SSLWantReadError:
        return
    finally:
        connection.settimeout(allowed_s)


def _hand_over(connection: ssl.SSLSocket, frames: bytes) -> None:
    """Send everything; a server that ends without "close notify" has taken it, too."""
    connection.sendall(frames)
    try:
        connection.unwrap()
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return
    except OSError as error:
        raise AuditNotSentError(reasons=("not_taken",)) from error

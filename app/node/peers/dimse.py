"""One association to a peer, with a limit on every wait, and C-ECHO.

Terms are those of DICOM PS3.7 (messages) and PS3.8 (associations).
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from pynetdicom import AE, _config, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from app.errors import ContextRefusedError, PeerRefusedError, PeerUnreachableError
from app.node.tls import client_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydicom.dataset import Dataset
    from pynetdicom.association import Association
    from pynetdicom.presentation import PresentationContext

    from app.settings.tls import PeerTlsSettings

MAX_CONTEXTS: Final = 128
"""Presentation contexts in one association: odd identifiers up to 255 (PS3.8, 9.3.2.2)."""

SUCCESS: Final = 0x0000

_REJECTED_FOR_GOOD: Final = 0x01
_REASONS: Final[dict[tuple[int, int], str]] = {
    (1, 2): "application_context_unknown",
    (1, 3): "calling_ae_title_unknown",
    (1, 7): "called_ae_title_unknown",
    (2, 2): "protocol_version_unknown",
    (3, 1): "congestion",
    (3, 2): "local_limit_exceeded",
}
"""(source, reason) of an A-ASSOCIATE-RJ -> name (PS3.8, table 9-21); others: no reason given."""


class Peer(Protocol):
    """Where an application entity listens; `app.settings.peers.DimsePeerSettings` is one."""

    @property
    def ae_title(self) -> str:
        """AE title that is called."""

    @property
    def host(self) -> str:
        """Name or address."""

    @property
    def port(self) -> int:
        """TCP port."""

    @property
    def tls(self) -> PeerTlsSettings | None:
        """How it is called over TLS; None: without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the node waits for a peer.

    Attributes
    ----------
    connect_s : float
        TCP connection, s.
    association_s : float
        Answer to A-ASSOCIATE-RQ and A-RELEASE-RQ, s.
    message_s : float
        Answer to a message after its last byte was handed over, s.
    bytes_per_s : float
        Slowest line on which a large object may still pass.
    report_s : float
        Report on storage commitment on the association of the request, s. Most peers report on an
        association of their own, some of them only where the first one has ended.
    """

    connect_s: float = 5.0
    association_s: float = 10.0
    message_s: float = 60.0
    bytes_per_s: float = 50_000.0
    report_s: float = 2.0


PATIENT: Final = Patience()


@contextmanager
def association(
    peer: Peer,
    our_ae_title: str,
    contexts: Sequence[PresentationContext],
    patience: Patience = PATIENT,
    *,
    handlers: Sequence[tuple[Any, Callable[[evt.Event], object]]] = (),
) -> Iterator[Association]:
    """Establish an association; release it at the end, abort it after an error.

    Parameters
    ----------
    peer : Peer
        Whom to call.
    our_ae_title : str
        Calling AE title.
    contexts : sequence of PresentationContext
        At most 128 proposed ones.
    patience : Patience
        Limits on every wait.
    handlers : sequence
        Events of the association, and what takes them.

    Yields
    ------
    Association
        Established; some contexts may have been rejected, but not all.

    Raises
    ------
    PeerUnreachableError
        If there is no connection, no answer, or a transient rejection.
    PeerRefusedError
        If the association was rejected permanently.
    ContextRefusedError
        If it was accepted with none of the contexts.
    """
    # Messages go out byte for byte from the file, and no query is ever logged.
    _config.STORE_SEND_CHUNKED_DATASET = True
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    entity = AE(our_ae_title)
    entity.connection_timeout = patience.connect_s
    entity.acse_timeout = patience.association_s
    entity.dimse_timeout = patience.message_s
    entity.network_timeout = patience.message_s
    limit = patience.message_s

    context = None if peer.tls is None else client_context(peer.tls)

    def prepare(event: evt.Event) -> None:
        _limit_socket(event.assoc, limit)

    try:
        established = entity.associate(
            peer.host,
            peer.port,
            contexts=list(contexts),
            ae_title=peer.ae_title,
            evt_handlers=[(evt.EVT_CONN_OPEN, prepare), *handlers],
            tls_args=None if context is None else (context, _server_name(peer)),
        )
    except OSError as error:  # the name is unknown
        raise PeerUnreachableError(
            "the peer's host name is not known", reasons=("host_unknown",)
        ) from error
    if not established.is_established:
        if context is not None and context.failure is not None:
            reason = (context.failure.reason or "no_reason").lower()
            raise PeerUnreachableError(
                f"no TLS connection to the peer ({reason})", reasons=("tls_failed",)
            )
        raise _refusal(established)
    try:
        yield established
    except BaseException:
        established.abort()
        raise
    if established.is_established:
        established.release()


def _server_name(peer: Peer) -> str:
    """Name that its certificate must have."""
    return (peer.tls.server_name if peer.tls is not None else None) or peer.host


def echo(peer: Peer, our_ae_title: str, patience: Patience = PATIENT) -> None:
    """C-ECHO.

    Parameters
    ----------
    peer : Peer
        Whom to ask.
    our_ae_title : str
        Calling AE title.
    patience : Patience
        Limits on every wait.

    Raises
    ------
    PeerUnreachableError
        If the peer does not answer.
    PeerRefusedError
        If it rejects the association or does not answer with success.
    """
    with association(peer, our_ae_title, [build_context(Verification)], patience) as open_one:
        status = status_of(open_one.send_c_echo())
    if status != SUCCESS:
        raise PeerRefusedError(
            f"the peer answered C-ECHO with 0x{status:04X}", reasons=(f"status_{status:04X}",)
        )


def status_of(response: Dataset) -> int:
    """Status of a response.

    Parameters
    ----------
    response : Dataset
        As pynetdicom returns it: empty if there was no answer.

    Returns
    -------
    int
        DIMSE status.

    Raises
    ------
    PeerUnreachableError
        If the peer closed the connection, aborted or was silent for too long.
    """
    if "Status" not in response:
        raise PeerUnreachableError(
            "the peer broke off or did not answer in time", reasons=("no_answer",)
        )
    return int(response.Status)


def _limit_socket(open_one: Association, limit_s: float) -> None:
    """No read or write of the connection's thread may block for ever; small PDUs leave at once."""
    wrapper = open_one.dul.socket
    if wrapper is not None and wrapper.socket is not None:
        wrapper.socket.settimeout(limit_s)
        wrapper.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _refusal(attempted: Association) -> PeerRefusedError | PeerUnreachableError:
    answer = attempted.acceptor.primitive
    if attempted.rejected_contexts and not attempted.accepted_contexts:
        return ContextRefusedError(reasons=("context_refused",))
    if not attempted.is_rejected or answer is None:
        return PeerUnreachableError("the peer does not answer", reasons=("unreachable",))
    name = _REASONS.get((answer.result_source or 0, answer.diagnostic or 0), "no_reason_given")
    kind = PeerRefusedError if answer.result == _REJECTED_FOR_GOOD else PeerUnreachableError
    return kind(f"the peer rejected the association ({name})", reasons=(f"rejected_{name}",))

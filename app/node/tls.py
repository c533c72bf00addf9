"""TLS for associations and the page: protocols and ciphers, certificates, when they expire.

TLS 1.2 or 1.3 with forward secrecy and authenticated encryption, as BCP 195 (RFC 9325) and the
profile of DICOM PS3.15, B.12 ask for.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from app.settings import NodeSettings
    from app.settings.tls import ListenerTlsSettings, PageTlsSettings, PeerTlsSettings

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
"""Of TLS 1.2; those of TLS 1.3 are all of that kind."""

EXPIRES_SOON_S: Final = 30 * 86400.0
"""A certificate valid for less than this needs a person, s: issuing one takes weeks at a site."""


class ClientContext(ssl.SSLContext):
    """Remembers why a handshake failed, which pynetdicom only logs.

    Attributes
    ----------
    failure : ssl.SSLError or None
        Of the last connection.
    """

    failure: ssl.SSLError | None = None


class _ClientSocket(ssl.SSLSocket):
    def connect(self, addr: Any) -> None:  # noqa: ANN401 - as socket.connect
        try:
            super().connect(addr)
        except OSError as error:
            if isinstance(error, ssl.SSLError) and isinstance(self.context, ClientContext):
                self.context.failure = error
            # pynetdicom drops a socket that did not connect.
            self.close()
            raise


def server_context(settings: ListenerTlsSettings) -> ssl.SSLContext:
    """Make the context by which senders are answered.

    Parameters
    ----------
    settings : ListenerTlsSettings
        Certificates.

    Returns
    -------
    ssl.SSLContext
        Asks for a certificate where authorities are named.

    Raises
    ------
    ConfigurationError
        If a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _strict(context)
    load_own(context, settings.certificate_file, settings.key_file)
    if settings.trusted_file is not None:
        _load_trusted(context, settings.trusted_file)
        context.verify_mode = ssl.CERT_REQUIRED
    _load_revoked(context, settings.revoked_file)
    return context


def page_context(settings: PageTlsSettings) -> ssl.SSLContext:
    """Make the context by which browsers and programs are answered.

    Parameters
    ----------
    settings : PageTlsSettings
        Certificate.

    Returns
    -------
    ssl.SSLContext
        Asks for no certificate: people log in.

    Raises
    ------
    ConfigurationError
        If a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _strict(context)
    context.set_alpn_protocols(["http/1.1"])
    load_own(context, settings.certificate_file, settings.key_file)
    return context


def client_context(settings: PeerTlsSettings) -> ClientContext:
    """Make the context by which a peer is called.

    Parameters
    ----------
    settings : PeerTlsSettings
        Certificates.

    Returns
    -------
    ClientContext
        Holds the peer's certificate against its name.

    Raises
    ------
    ConfigurationError
        If a file cannot be used.
    """
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _ClientSocket
    _strict(context)
    if settings.trusted_file is None:
        context.load_default_certs()
    else:
        _load_trusted(context, settings.trusted_file)
    _load_revoked(context, settings.revoked_file)
    if settings.certificate_file is not None and settings.key_file is not None:
        load_own(context, settings.certificate_file, settings.key_file)
    return context


def check_certificates(node: NodeSettings, *, of_listener: bool = True) -> None:
    """Pass where every certificate and key that the settings name can be used.

    Parameters
    ----------
    node : NodeSettings
        Listener, page and peers.
    of_listener : bool
        Those of listener and page, too; a worker on another host has no need of their keys.

    Raises
    ------
    ConfigurationError
        Where one cannot.
    """
    if of_listener and node.listener.tls is not None:
        server_context(node.listener.tls)
    if of_listener and node.web.tls is not None:
        page_context(node.web.tls)
    for peer in node.peers:
        if peer.tls is not None:
            client_context(peer.tls)
    if node.audit.syslog is not None:
        client_context(node.audit.syslog.tls)


def names_of(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Find common names and DNS names of a certificate that was verified.

    Parameters
    ----------
    certificate : mapping or None
        As `ssl.SSLSocket.getpeercert` gives it.

    Returns
    -------
    frozenset of str
        Empty where there was none.
    """
    if not certificate:
        return frozenset()
    subject = [pair for part in certificate.get("subject", ()) for pair in part]
    common = {value for key, value in subject if key == "commonName"}
    return frozenset(
        common | {value for key, value in certificate.get("subjectAltName", ()) if key == "DNS"}
    )


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate that the node shows.

    Attributes
    ----------
    used_for : str
        ``listener``, ``page``, or the peer's name.
    expires : float
        Epoch seconds.
    """

    used_for: str
    expires: float


def own_certificates(node: NodeSettings) -> Iterator[OwnCertificate]:
    """Find the certificates that the node shows, and until when they are valid.

    A file that this process cannot read is left out: it may be another host's. Where it is needed,
    start and reload refuse it (`check_certificates`).
    """
    files = {} if node.listener.tls is None else {"listener": node.listener.tls.certificate_file}
    if node.web.tls is not None:
        files["page"] = node.web.tls.certificate_file
    for peer in node.peers:
        if peer.tls is not None and peer.tls.certificate_file is not None:
            files[peer.name] = peer.tls.certificate_file
    for used_for, file in files.items():
        expires = _expiry(file)
        if expires is not None:
            yield OwnCertificate(used_for, expires)


def _expiry(file: Path) -> float | None:
    """Earliest end of validity in the chain, epoch seconds."""
    from cryptography import x509  # noqa: PLC0415 - the listener starts without it

    try:
        chain = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return None
    return min(one.not_valid_after_utc.timestamp() for one in chain)


def _strict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)


def load_own(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Have a context show a certificate, from the next handshake on.

    Raises
    ------
    ConfigurationError
        If a file cannot be used, or one is not of the other.
    """
    try:
        # An empty password: a key that has one must not ask on a terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"TLS: certificate {certificate} and key {key} cannot be used ({_reason(error)})"
        ) from error


def _load_trusted(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"TLS: authorities {file} cannot be read ({_reason(error)})"
        ) from error


def _load_revoked(context: ssl.SSLContext, file: Path | None) -> None:
    """Refuse certificates that a list names (RFC 5280, 5); that of a peer itself is looked up."""
    if file is None:
        return
    try:
        context.load_verify_locations(file)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"TLS: revocation list {file} cannot be read ({_reason(error)})"
        ) from error
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or "no PEM")

"""TLS of the page: a bound on every handshake, and new certificates without a restart."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.errors import ConfigurationError
from app.node.telemetry import events
from app.node.tls import load_own, page_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    import uvicorn

    from app.node.telemetry.logs import Emit
    from app.settings.tls import PageTlsSettings

HANDSHAKE_S: Final = 10.0
"""Until then a client must have shaken hands, s; asyncio's own bound is 60 s, in which silent
clients could take every descriptor."""


class HandshakeLoop(asyncio.SelectorEventLoop):
    """Event loop that waits for no handshake longer than `HANDSHAKE_S`; uvicorn passes no bound."""

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:  # noqa: ANN401 - as the class above
        """Listen, as any loop does."""
        if kwargs.get("ssl") is not None:
            kwargs.setdefault("ssl_handshake_timeout", HANDSHAKE_S)
        return await super().create_server(*args, **kwargs)


LOOP: Final = f"{HandshakeLoop.__module__}:{HandshakeLoop.__qualname__}"
"""As uvicorn takes it."""


@dataclass(slots=True)
class PageCertificate:
    """Certificate of the page, taken anew where its files change.

    Attributes
    ----------
    settings : PageTlsSettings
        Files.
    emit : Emit
        Event log.

    Raises
    ------
    ConfigurationError
        If a file cannot be used.
    """

    settings: PageTlsSettings
    emit: Emit
    _context: ssl.SSLContext = field(init=False)
    _seen: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read the files for the first time."""
        self._seen = self._stamps()
        self._context = page_context(self.settings)

    def context_of(
        self, _config: uvicorn.Config, _default: Callable[[], ssl.SSLContext]
    ) -> ssl.SSLContext:
        """Give the context, as uvicorn asks for it."""
        return self._context

    def renew(self) -> None:
        """Take new files; open connections keep what they have, and bad files change nothing."""
        stamps = self._stamps()
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            # First apart: a certificate without its key would spoil the one that is in use.
            page_context(self.settings)
            load_own(self._context, self.settings.certificate_file, self.settings.key_file)
        except ConfigurationError:
            self.emit(events.PAGE_CERTIFICATE_REFUSED)
        else:
            self.emit(events.PAGE_CERTIFICATE_TAKEN)

    def _stamps(self) -> tuple[int, ...]:
        """When the files were changed; 0 for one that is not there just now."""
        files = (self.settings.certificate_file, self.settings.key_file)
        return tuple(_changed_at(file) for file in files)


def _changed_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0

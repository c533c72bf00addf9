"""What every page needs: the settings, the journal, the site's secret, a clock and the log."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.engine import Connection, Engine

from app.node.journal.attention import AttentionRow
from app.node.journal.lookout import Lookout, Moment
from app.node.telemetry.logs import Emit
from app.settings import NodeSettings
from operators.dicom.identity.provenance import IntendedUse, notice_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One node as the page sees it.

    Attributes
    ----------
    node : NodeSettings
        Of this site.
    engine : Engine
        Journal, as `app.node.journal.engine.open_journal` gives it.
    secret : bytes
        The site's secret.
    clock, monotonic : callable
        Epoch seconds, and seconds that no clock change touches.
    emit : Emit
        Event log.
    free_bytes : callable
        Free space of the disk of a folder, bytes.
    intended_use : IntendedUse or None
        Of this site.
    lookout : Lookout
        Who has been silent, and what has stood still, for how long.
    """

    node: NodeSettings
    engine: Engine
    secret: bytes
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    emit: Emit
    free_bytes: Callable[[Path], int]
    intended_use: IntendedUse | None = None
    lookout: Lookout = field(default_factory=Lookout)

    @property
    def notice(self) -> str:
        """What results may be used for."""
        return notice_of(self.intended_use)

    def attention(self, connection: Connection) -> list[AttentionRow]:
        """Count what needs a person, by kind."""
        return self.lookout.look(connection, self.node, self.moment())

    def moment(self) -> Moment:
        """Clocks and disk, now."""
        return Moment(
            now=self.clock(),
            monotonic_s=self.monotonic(),
            free_bytes=self.free_bytes(self.node.data),
        )


def site_of(request: Request) -> Site:
    """Find the node that the application shows."""
    site = request.app.state.site
    if not isinstance(site, Site):  # pragma: no cover - the application is made with it
        raise TypeError("the application has no site")
    return site


CurrentSite = Annotated[Site, Depends(site_of)]
"""Parameter type of routes."""

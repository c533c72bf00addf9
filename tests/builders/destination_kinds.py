"""Every kind of destination with faults on order, for the contract that all of them keep.

A kind is a function: from what the PACS shall do (`tests.builders.faulty_pacs`) to a running one
that knows its own entry in the settings (`peer`), what it was sent (`received`) and holds (`held`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from app.settings.peers import PeerSettings
from tests.builders.faulty_pacs import FaultyPacs, Step, faulty_pacs
from tests.builders.web_pacs import web_pacs


class ScriptedPacs(Protocol):
    """A running PACS of some kind."""

    held: dict[str, bytes]
    received: list[str]
    finds: int

    def peer(self, name: str = "pacs", **changes: Any) -> PeerSettings:
        """Its entry in the settings."""

    def moved(self, port: int) -> dict[str, Any]:
        """What changes in its entry where it listens elsewhere."""


@contextmanager
def by_dimse(
    script: Sequence[Step] = (), *, takes_rle: bool = True, **behaviour: Any
) -> Iterator[FaultyPacs]:
    """An application entity."""
    if not takes_rle:
        behaviour["transfer_syntaxes"] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    with faulty_pacs(script, **behaviour) as pacs:
        yield pacs


Kind = Callable[..., AbstractContextManager[ScriptedPacs]]

KINDS: Mapping[str, Kind] = {"dicomweb": web_pacs, "dimse": by_dimse}
"""Kind in the settings -> such a PACS."""

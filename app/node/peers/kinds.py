"""The kinds of destinations, by the kind that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.node.peers.dicomweb_destination import DicomwebDestination
from app.node.peers.dimse import PATIENT
from app.node.peers.dimse_destination import DimseDestination

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.node.peers.destination import Destination
    from app.node.peers.dimse import Patience
    from app.settings.peers import PeerSettings

_KINDS: Final[Mapping[str, Callable[[Any, str, Patience], Destination]]] = {
    "dicomweb": DicomwebDestination,
    "dimse": DimseDestination,
}
"""Kind in the settings -> what speaks with it."""


def destination_of(
    peer: PeerSettings, our_ae_title: str, patience: Patience = PATIENT
) -> Destination:
    """Make the destination that a peer of the settings is.

    Parameters
    ----------
    peer : PeerSettings
        Its kind decides.
    our_ae_title : str
        Who we are.
    patience : Patience
        Limits on every wait.

    Returns
    -------
    Destination
        Nothing is connected before it is asked for something.
    """
    return _KINDS[peer.kind](peer, our_ae_title, patience)

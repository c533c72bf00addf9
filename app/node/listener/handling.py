"""What an association asks of whoever decides and stores for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pynetdicom import evt
    from pynetdicom.presentation import PresentationContext

    from app.node.archive.incoming import DroppedObject, IncomingFile
    from app.node.listener.admission import Refusal


@dataclass(frozen=True, slots=True)
class Offer:
    """What a C-STORE request announces.

    Attributes
    ----------
    sop_class_uid, sop_instance_uid : str
        Of the command; may be anything.
    abstract_syntax_uid, transfer_syntax_uid : str
        Of the presentation context.
    """

    sop_class_uid: str
    sop_instance_uid: str
    abstract_syntax_uid: str = ""
    transfer_syntax_uid: str = ""


class AssociationHandler(Protocol):
    """What is decided and done for one association."""

    def admit(self, calling: str, called: str) -> Refusal | None:
        """Let it in, or say why not; raising an error closes the connection."""

    def agree(self, accepted: int, rejected: list[PresentationContext]) -> None:
        """Hear how many presentation contexts were accepted, and which were not."""

    def begin(self, offer: Offer) -> IncomingFile | DroppedObject:
        """Open the file for an object whose data set is about to come."""

    def store(self, offer: Offer, incoming: IncomingFile | DroppedObject | None) -> int:
        """Answer a C-STORE by a DIMSE status; its data set, if there was one, is in the file."""

    def report(self, event: evt.Event) -> tuple[int, None]:
        """Answer an N-EVENT-REPORT by a DIMSE status, without an event reply."""

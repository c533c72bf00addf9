"""What every kind of destination does: answer, store objects, say which of them it holds.

Deliveries and the commissioning check know a destination by this alone. A kind is a class that
does it, a row in `app.node.peers.kinds`, and a class of settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from app.node.peers.statuses import Answer, answer_of, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from app.node.peers.commitment import CommitmentReport, Committable
    from app.node.peers.store import StorableFile


class Locatable(Protocol):
    """How an object is found at a destination; `app.node.journal.parcels.Parcel` is one."""

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""

    @property
    def series_uid(self) -> str:
        """Series Instance UID."""

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a destination said of one object.

    Attributes
    ----------
    answer : Answer
        What that means for the object.
    name : str
        Name of the answer for journal and page; empty where the object is stored.
    status : int or None
        DICOM status or failure reason; None where the destination gave none.
    is_uncompressed : bool
        It takes no RLE Lossless and was sent the object uncompressed.
    retry_after_s : float or None
        How long it asks to be left alone, where it takes nothing now.
    """

    answer: Answer
    name: str = ""
    status: int | None = None
    is_uncompressed: bool = False
    retry_after_s: float | None = None

    @classmethod
    def of_status(cls, status: int | None, *, is_uncompressed: bool = False) -> Reply:
        """Make the reply that a DICOM status is (`app.node.peers.statuses`).

        Parameters
        ----------
        status : int or None
            0x0000 to 0xFFFF; None: no presentation context for the object.
        is_uncompressed : bool
            How it was sent.

        Returns
        -------
        Reply
            With the meaning of the table.
        """
        answer = answer_of(status)
        name = "" if answer is Answer.STORED else name_of(status)
        return cls(answer=answer, name=name, status=status, is_uncompressed=is_uncompressed)


class Destination(Protocol):
    """One destination; every call is a conversation of its own, with a limit on every wait.

    What fails for the whole conversation is raised as `PeerUnreachableError` (it may work later)
    or `PeerRefusedError`, with the name of the reason in `reasons`.
    """

    @property
    def echo_name(self) -> str:
        """Service by which `echo` asks, as people call it."""

    @property
    def found_by(self) -> str:
        """Name of the confirmation where `holds` lists an object."""

    @property
    def taken_by(self) -> str:
        """Name of the confirmation where nothing but its answer to `store` can be had."""

    @property
    def commits(self) -> bool:
        """Whether it shall be asked to commit storage."""

    def echo(self) -> None:
        """Pass where the destination answers."""

    def takes(self, sop_classes: Collection[str]) -> Mapping[str, Sequence[str]] | None:
        """Ask which kinds of objects it takes, without sending one.

        Parameters
        ----------
        sop_classes : collection of str
            SOP Class UIDs.

        Returns
        -------
        mapping or None
            SOP Class UID -> names of transfer syntaxes; None: there is no way to ask.
        """

    def store(
        self, files: Sequence[StorableFile], on_reply: Callable[[StorableFile, Reply], None]
    ) -> None:
        """Send objects, each once, in their order.

        Parameters
        ----------
        files : sequence of StorableFile
            Sent byte for byte where the destination takes their transfer syntax.
        on_reply : callable
            Told each reply before the next object is sent. What it raises ends the conversation.
        """

    def holds(self, objects: Sequence[Locatable]) -> frozenset[str] | None:
        """Ask which objects are there.

        Parameters
        ----------
        objects : sequence of Locatable
            The objects of interest.

        Returns
        -------
        frozenset of str or None
            SOP Instance UIDs, perhaps of others too; None: the destination cannot be asked.
        """

    def commit(
        self,
        transaction_uid: str,
        objects: Sequence[Committable],
        on_report: Callable[[CommitmentReport], None],
    ) -> bool:
        """Ask it to commit the storage of objects; it reports now or later, also to the listener.

        Parameters
        ----------
        transaction_uid : str
            New for every request.
        objects : sequence of Committable
            Objects that it acknowledged.
        on_report : callable
            Told a report that comes at once, from another thread.

        Returns
        -------
        bool
            Whether it took the request; False: it does not offer storage commitment.
        """

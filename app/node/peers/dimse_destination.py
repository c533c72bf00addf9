"""A destination that is a DICOM application entity: C-ECHO, C-STORE, C-FIND."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.presentation import build_context

from app.errors import ContextRefusedError, PeerRefusedError, PeerUnreachableError
from app.node.peers.commitment import request_commitment
from app.node.peers.destination import Reply
from app.node.peers.dimse import PATIENT, association, echo
from app.node.peers.query import find_instances
from app.node.peers.store import store_files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from app.node.peers.commitment import CommitmentReport, Committable
    from app.node.peers.destination import Locatable
    from app.node.peers.dimse import Patience
    from app.node.peers.store import StorableFile
    from app.settings.peers import DimsePeerSettings


class DimseDestination:
    """One application entity, and who we are to it (`app.node.peers.destination`)."""

    echo_name: Final = "C-ECHO"
    found_by: Final = "c_find"
    taken_by: Final = "c_store"

    def __init__(
        self, peer: DimsePeerSettings, our_ae_title: str, patience: Patience = PATIENT
    ) -> None:
        """Keep where it listens, our calling AE title, and the limits on every wait."""
        self._peer = peer
        self._our_ae_title = our_ae_title
        self._patience = patience

    @property
    def commits(self) -> bool:
        """As the settings say."""
        return self._peer.can_commit

    def echo(self) -> None:
        """C-ECHO."""
        echo(self._peer, self._our_ae_title, self._patience)

    def takes(self, sop_classes: Collection[str]) -> Mapping[str, Sequence[str]] | None:
        """Propose all of them in one association."""
        syntaxes = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
        proposed = [build_context(uid, syntax) for uid in sop_classes for syntax in syntaxes]
        accepted: dict[str, list[str]] = {}
        try:
            with association(self._peer, self._our_ae_title, proposed, self._patience) as open_one:
                for context in open_one.accepted_contexts:
                    names = accepted.setdefault(str(context.abstract_syntax), [])
                    names.append(UID(context.transfer_syntax[0]).name)
        except (PeerUnreachableError, PeerRefusedError):
            return {}
        return accepted

    def store(
        self, files: Sequence[StorableFile], on_reply: Callable[[StorableFile, Reply], None]
    ) -> None:
        """C-STORE, in one association (`app.node.peers.store`)."""
        uncompressed: set[StorableFile] = set()

        def answer(file: StorableFile, status: int | None) -> None:
            on_reply(file, Reply.of_status(status, is_uncompressed=file in uncompressed))

        store_files(
            self._peer,
            self._our_ae_title,
            files,
            on_answer=answer,
            on_uncompressed=uncompressed.add,
            patience=self._patience,
        )

    def holds(self, objects: Sequence[Locatable]) -> frozenset[str] | None:
        """C-FIND of the series that the objects belong to; the limit on a message is its own."""
        if not self._peer.can_find:
            return None
        found: set[str] = set()
        for study_uid, series_uid in sorted({(one.study_uid, one.series_uid) for one in objects}):
            try:
                found |= find_instances(
                    self._peer,
                    self._our_ae_title,
                    study_uid,
                    series_uid,
                    timeout_s=self._patience.message_s,
                )
            except ContextRefusedError:
                return None
        return frozenset(found)

    def commit(
        self,
        transaction_uid: str,
        objects: Sequence[Committable],
        on_report: Callable[[CommitmentReport], None],
    ) -> bool:
        """N-ACTION (`app.node.peers.commitment`)."""
        return request_commitment(
            self._peer,
            self._our_ae_title,
            transaction_uid,
            objects,
            on_report=on_report,
            patience=self._patience,
        )

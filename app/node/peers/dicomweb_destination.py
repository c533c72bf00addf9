"""A destination that is a DICOMweb origin server: STOW-RS, and QIDO-RS to ask (PS3.18)."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Final

from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import UID

from app.errors import PeerRefusedError
from app.node.peers.dimse import PATIENT
from app.node.peers.http import conversation
from app.node.peers.statuses import Answer
from app.node.peers.store import content_in, syntaxes_of
from app.node.peers.stow import Body, document_of, reply_of, values_of
from operators.dicom.identity.uids import derived_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from app.node.peers.commitment import CommitmentReport, Committable
    from app.node.peers.destination import Locatable, Reply
    from app.node.peers.dimse import Patience
    from app.node.peers.http import Conversation
    from app.node.peers.store import StorableFile
    from app.settings.peers import DicomwebPeerSettings

_SOP_INSTANCE_UID: Final = "00080018"
_NO_STUDY: Final = derived_uid("spine-node", "no-such-study")
"""Asked for to see whether the server answers: a question that matches no patient."""

_OK: Final = 200
_NO_CONTENT: Final = 204
_NOT_FOUND: Final = 404
_NOT_OFFERED: Final = frozenset({405, 501})
_UNSUPPORTED_SYNTAX: Final = frozenset({"status_C122", "http_415"})


class DicomwebDestination:
    """One origin server (`app.node.peers.destination`)."""

    echo_name: Final = "QIDO-RS"
    found_by: Final = "qido_rs"
    taken_by: Final = "stow_rs"
    commits: Final = False

    def __init__(
        self, peer: DicomwebPeerSettings, _our_ae_title: str, patience: Patience = PATIENT
    ) -> None:
        """Keep where it is, and the limits on every wait; HTTP knows no AE titles."""
        self._peer = peer
        self._patience = patience

    def echo(self) -> None:
        """Ask for a study that nobody has; a server without QIDO-RS only has to answer."""
        with conversation(self._peer, self._patience) as open_one:
            status = open_one.get("/studies", {"StudyInstanceUID": _NO_STUDY}).status
        is_answered = status in {_OK, _NO_CONTENT}
        if not self._peer.can_find:
            is_answered = is_answered or status in {400, _NOT_FOUND, *_NOT_OFFERED}
        if not is_answered:
            raise _refused(status)

    def takes(self, sop_classes: Collection[str]) -> None:  # noqa: ARG002 - as the protocol has it
        """HTTP negotiates nothing: what is taken shows when it is sent."""
        return

    def store(
        self, files: Sequence[StorableFile], on_reply: Callable[[StorableFile, Reply], None]
    ) -> None:
        """POST each object by itself (`app.node.peers.stow`)."""
        with conversation(self._peer, self._patience) as open_one:
            reply: Reply | None = None
            for file in files:
                # A server that asks to be left alone is sent nothing more for now.
                if reply is None or reply.retry_after_s is None:
                    reply = _store(open_one, file)
                on_reply(file, reply)

    def holds(self, objects: Sequence[Locatable]) -> frozenset[str] | None:
        """Search for each object by itself: an answer of one row is never cut into pages."""
        if not self._peer.can_find:
            return None
        found: set[str] = set()
        with conversation(self._peer, self._patience) as open_one:
            for one in objects:
                answer = open_one.get(_path_of(one), _query_of(one))
                if answer.status in _NOT_OFFERED:
                    return None
                if answer.status not in {_OK, _NO_CONTENT, _NOT_FOUND}:
                    raise _refused(answer.status)
                if answer.status == _OK:
                    found |= _uids(document_of(answer.body))
        return frozenset(found)

    def commit(
        self,
        transaction_uid: str,  # noqa: ARG002 - as the protocol has it
        objects: Sequence[Committable],  # noqa: ARG002
        on_report: Callable[[CommitmentReport], None],  # noqa: ARG002
    ) -> bool:
        """Few servers know storage commitment by HTTP (PS3.18, 13): it is not asked for."""
        return False


def _store(open_one: Conversation, file: StorableFile) -> Reply:
    uid = file.sop_instance_uid
    answer = open_one.post("/studies", Body.of(file.path))
    reply = reply_of(answer.status, answer.body, uid)
    if reply.answer in {Answer.BUSY, Answer.RETRY}:
        return replace(reply, retry_after_s=answer.retry_after_s)
    if reply.name not in _UNSUPPORTED_SYNTAX:
        return reply
    for syntax in syntaxes_of(file)[1:]:
        dataset = content_in(file, syntax)
        if isinstance(dataset, Dataset):
            answer = open_one.post("/studies", Body.of(_encoded(dataset, syntax)))
            reply = reply_of(answer.status, answer.body, uid)
            if reply.answer is Answer.STORED:
                return replace(reply, is_uncompressed=True)
    return reply


def _encoded(dataset: Dataset, syntax: str) -> bytes:
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _path_of(one: Locatable) -> str:
    for uid in (one.study_uid, one.series_uid, one.sop_instance_uid):
        if not re.fullmatch(r"[0-9][0-9.]{0,63}", uid):
            raise PeerRefusedError("only valid UIDs are asked for", reasons=("uid_invalid",))
    return f"/studies/{one.study_uid}/series/{one.series_uid}/instances"


def _query_of(one: Locatable) -> dict[str, str]:
    return {"SOPInstanceUID": one.sop_instance_uid, "includefield": _SOP_INSTANCE_UID}


def _uids(document: object) -> set[str]:
    rows = document if isinstance(document, list) else []
    return {str(uid) for row in rows for uid in values_of(row, _SOP_INSTANCE_UID)}


def _refused(status: int) -> PeerRefusedError:
    return PeerRefusedError(f"the peer answered HTTP {status}", reasons=(f"http_{status}",))

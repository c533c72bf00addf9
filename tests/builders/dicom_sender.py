"""A C-STORE sender that sends whatever it is told: any bytes, any identifiers, or half of it."""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

import pydicom
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pynetdicom.association import Association


def data_set_of(path: Path) -> bytes:
    """Bytes of a Part 10 file behind its file meta information: what travels in a C-STORE."""
    content = path.read_bytes()
    assert content[128:132] == b"DICM"
    # (0002,0000) UL 4: length of the rest of the group (PS3.10, 7.1).
    return content[144 + int.from_bytes(content[140:144], "little") :]


class OpenAssociation:
    """An established association."""

    def __init__(self, association: Association) -> None:
        self.association = association
        self.is_raw = False
        self.connection: socket.socket = association.dul.socket.socket
        association._reactor_checkpoint.clear()
        while not association._is_paused:
            time.sleep(0.001)

    def take_over(self) -> socket.socket:
        """The bare connection: from now on pynetdicom neither reads nor writes it."""
        self.is_raw = True
        self.association.dul.kill_dul()
        self.association.dul.join(5)
        self.connection.settimeout(10)
        return self.connection

    def pdus_of(self, data: bytes, sop_instance_uid: str, *, pdu_bytes: int) -> list[bytes]:
        """A C-STORE request as it travels, in small pieces."""
        message = C_STORE_RQ()
        message.primitive_to_message(_request(data, sop_instance_uid, MRImageStorage))
        context = self.association.accepted_contexts[0]
        pieces = []
        for primitive in message.encode_msg(context.context_id, pdu_bytes):
            pdu = P_DATA_TF()
            pdu.from_primitive(primitive)
            pieces.append(pdu.encode())
        return pieces

    def offer(
        self, data: bytes, sop_instance_uid: str, *, sop_class_uid: str = MRImageStorage
    ) -> int | None:
        """Send one object (or, for no bytes, a request without data set) on the first context.

        Its status, or None if the peer hung up.
        """
        request = _request(data, sop_instance_uid, sop_class_uid)
        context = self.association.accepted_contexts[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.association.dimse.send_msg(request, context.context_id)
        _, answer = self.association.dimse.msg_queue.get(timeout=30)
        return None if answer is None else answer.Status


def _request(data: bytes, sop_instance_uid: str, sop_class_uid: str) -> C_STORE:
    request = C_STORE()
    request.MessageID = 1
    request.Priority = 2
    request.AffectedSOPClassUID = sop_class_uid
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns about the odd ones that tests send
        request.AffectedSOPInstanceUID = sop_instance_uid
    request.DataSet = BytesIO(data) if data else None
    return request


@contextmanager
def associated(
    port: int,
    *,
    called: str = "NODE",
    calling: str = "SENDER",
    sop_class_uid: str = MRImageStorage,
    transfer_syntaxes: Sequence[str] = (ExplicitVRLittleEndian,),
) -> Iterator[OpenAssociation]:
    """Associate with the listener; released at the end of the block."""
    entity = AE(ae_title=calling)
    entity.add_requested_context(sop_class_uid, list(transfer_syntaxes))
    association = entity.associate("127.0.0.1", port, ae_title=called)
    assert association.is_established
    sender = OpenAssociation(association)
    try:
        yield sender
    finally:
        if sender.is_raw:
            association.is_established = False
            association._kill = True
        association._reactor_checkpoint.set()
        association.release()
        association.join(5)
        sender.connection.close()


def rejection(port: int, *, called: str = "NODE", calling: str = "SENDER") -> tuple[int, ...]:
    """Result, source and reason of an A-ASSOCIATE-RJ; empty where the peer accepted."""
    entity = AE(ae_title=calling)
    entity.add_requested_context(MRImageStorage)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    if association.is_established:
        association.release()
        return ()
    answer = association.acceptor.primitive
    assert answer is not None
    return (answer.result, answer.result_source, answer.diagnostic)


def sop_instance_uid_of(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)

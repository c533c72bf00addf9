from __future__ import annotations

from io import BytesIO

import pytest
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode

from app.node.listener.responses import store_response


@pytest.mark.parametrize(("uid", "status"), [("1.2.3", 0x0000), ("1.2.34", 0xA700), (None, 0xC000)])
def test_a_response_is_read_by_pynetdicom_as_it_was_meant(uid: str | None, status: int) -> None:
    request = C_STORE()
    request.MessageID = 65535
    request.AffectedSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    request.AffectedSOPInstanceUID = uid
    packed = store_response(request, status)
    assert packed[0] == 3  # a command, its last fragment
    command = decode(BytesIO(packed[1:]), is_implicit_vr=True, is_little_endian=True)
    assert command.CommandGroupLength == len(packed) - 1 - 12
    assert command.CommandField == 0x8001
    assert command.MessageIDBeingRespondedTo == 65535
    assert command.CommandDataSetType == 0x0101
    assert command.Status == status
    assert command.AffectedSOPClassUID == "1.2.840.10008.5.1.4.1.1.4"
    assert command.AffectedSOPInstanceUID == (uid or "")
    assert len(packed) % 2 == 1

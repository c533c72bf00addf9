"""The answer to a C-STORE, packed directly.

For its seven elements pynetdicom's general way needs a fifth of the time that a whole object takes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pynetdicom.dimse_primitives import C_STORE


def store_response(request: C_STORE, status: int) -> bytes:
    """C-STORE-RSP as the only fragment of its command (DICOM PS3.7, 9.3.1.2; PS3.8, E.2).

    Parameters
    ----------
    request : C_STORE
        What is answered.
    status : int
        DIMSE status.

    Returns
    -------
    bytes
        Message control header and command set; far shorter than any PDU may be.
    """
    elements = b"".join(
        (
            _element(0x0002, _padded(request.AffectedSOPClassUID)),
            _element(0x0100, struct.pack("<H", 0x8001)),
            _element(0x0120, struct.pack("<H", request.MessageID)),
            _element(0x0800, struct.pack("<H", 0x0101)),
            _element(0x0900, struct.pack("<H", status)),
            _element(0x1000, _padded(request.AffectedSOPInstanceUID)),
        )
    )
    return b"\x03" + _element(0x0000, struct.pack("<L", len(elements))) + elements


def _element(number: int, value: bytes) -> bytes:
    """Element of group 0000, Implicit VR Little Endian."""
    return struct.pack("<HHL", 0x0000, number, len(value)) + value


def _padded(uid: str | None) -> bytes:
    value = (uid or "").encode("ascii", "replace")
    return value + b"\0" * (len(value) % 2)

"""Identifiers that follow from content: the same input always gets the same UID.

Nothing here is random and nothing knows what the parts mean; which parts belong to a result
stands in ``provenance``.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_UUID_VERSION_MASK = 0xF << 76
_UUID_VERSION_8 = 0x8 << 76
_UUID_VARIANT_MASK = 0x3 << 62
_UUID_VARIANT_RFC = 0x2 << 62


def digest(parts: Iterable[str | bytes]) -> str:
    """SHA-256 over a sequence of parts, in which no two sequences look alike.

    Parameters
    ----------
    parts : iterable of str or bytes
        Text counts as UTF-8. Each part is preceded by its length, so that moving a character
        from one part to the next changes the result.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> digest(["ab", "c"]) == digest(["a", "bc"])
    False
    """
    running = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        running.update(len(data).to_bytes(8, "big"))
        running.update(data)
    return running.hexdigest()


def derived_uid(*parts: str) -> str:
    """UID that follows from its parts.

    Parameters
    ----------
    *parts : str
        What is identified, for example a digest and the word ``"series"``.

    Returns
    -------
    str
        ``2.25.`` and a UUID of version 8 made of the first 128 bits of SHA-256; at most 44
        characters.

    References
    ----------
    DICOM PS3.5 B.2 (UUID derived UID), RFC 9562 5.8 (UUID version 8).
    """
    number = int(digest(parts)[:32], 16)
    number = number & ~_UUID_VERSION_MASK | _UUID_VERSION_8
    number = number & ~_UUID_VARIANT_MASK | _UUID_VARIANT_RFC
    return f"2.25.{number}"

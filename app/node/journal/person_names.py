"""Patient names as people write them, and what is looked for.

DICOM's rules of matching: ``*`` stands for any text, ``?`` for one letter; a name is compared
without regard to case and accents (PS3.4, C.2.2.2.1 and C.2.2.2.4), everything else as it is
written.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_BETWEEN: Final = re.compile(r"[\^,\s]+")
_GROUPS: Final = "="


def name_key(name: str) -> str:
    r"""Write a name as it is compared: no case, no accents, one blank between its parts.

    Parameters
    ----------
    name : str
        PN with its component groups, or what a person typed.

    Returns
    -------
    str
        Each component group begins with ``=``, so that a search can begin at any.

    Examples
    --------
    >>> name_key("MÜLLER^Jane^^^"), name_key("Yamada^Tarou=山田^太郎")
    ('=muller jane', '=yamada tarou=山田 太郎')
    """
    groups = (_BETWEEN.sub(" ", group).strip() for group in name.split(_GROUPS))
    return "".join(f"{_GROUPS}{_plain(group)}" for group in groups if group)


def _plain(text: str) -> str:
    """Fold case, and take the marks off letters that have some."""
    parts = unicodedata.normalize("NFKD", text)
    bare = "".join(part for part in parts if not unicodedata.combining(part))
    return unicodedata.normalize("NFC", bare).casefold()


def like_of(text: str) -> str:
    r"""Pattern of SQL's LIKE, escaped by a backslash, for a text with DICOM's wildcards.

    Examples
    --------
    >>> like_of("a*b?_c")
    'a%b_\\_c'
    """
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    return escaped.replace("*", "%").replace("?", "_")


def name_pattern(wanted: str) -> str:
    """LIKE pattern for `name_key`: the beginning of any component group, wildcards anywhere.

    Examples
    --------
    >>> name_pattern("Doe, J"), name_pattern("*jane")
    ('%=doe j%', '%=%jane%')
    """
    bare = _BETWEEN.sub(" ", wanted).strip()
    return f"%={like_of(_plain(bare))}%"


def glob_of(text: str) -> str:
    """Pattern of SQLite's GLOB, which regards case, for a text with DICOM's wildcards.

    Examples
    --------
    >>> glob_of("A[1]*")
    'A[[]1]*'
    """
    return text.replace("[", "[[]")

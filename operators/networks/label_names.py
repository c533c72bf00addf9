"""The names under which published model folders speak of structures, and their numbers.

Spelling and numbers are those of TPTBox (``Location`` and ``Vertebra_Instance``), because the
``labels`` table of every published ``inference_config.json`` uses them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from operators.errors import ModelUnusableError

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRUCTURES: dict[str, int] = {
    "Unknown": 0,
    "Vertebra_Full": 40,
    "Arcus_Vertebrae": 41,
    "Spinosus_Process": 42,
    "Costal_Process_Left": 43,
    "Costal_Process_Right": 44,
    "Superior_Articular_Left": 45,
    "Superior_Articular_Right": 46,
    "Inferior_Articular_Left": 47,
    "Inferior_Articular_Right": 48,
    "Vertebra_Corpus_border": 49,
    "Vertebra_Corpus": 50,
    "Dens_axis": 51,
    "Vertebral_Body_Endplate_Superior": 52,
    "Vertebral_Body_Endplate_Inferior": 53,
    "Vertebra_Disc_Superior": 58,
    "Vertebra_Disc_Inferior": 59,
    "Spinal_Cord": 60,
    "Spinal_Canal": 61,
    "Endplate": 62,
    "Rib_Left": 63,
    "Rib_Right": 64,
    "Vertebra_Disc": 100,
    "Spinal_Canal_ivd_lvl": 126,
}

_VERTEBRAE: dict[str, int] = {
    **{f"C{n}": n for n in range(1, 8)},
    **{f"T{n}": n + 7 for n in range(1, 13)},
    "T13": 28,
    **{f"L{n}": n + 19 for n in range(1, 7)},
    "S1": 26,
    "COCC": 27,
    **{f"S{n}": n + 27 for n in range(2, 7)},
}

NUMBER_OF_NAME: Mapping[str, int] = MappingProxyType(
    {name.casefold(): number for name, number in (_STRUCTURES | _VERTEBRAE).items()}
)
"""Number of each published name, spelled without regard to case."""

_HIGHEST_LABEL = 65535
"""Label maps are stored in at most 16 bits."""


def label_number(entry: object) -> int:
    """Find the number meant by one entry of a model's label table.

    Parameters
    ----------
    entry : object
        An integer, a string of digits, a structure's name or a vertebra's name.

    Returns
    -------
    int
        0..65535.

    Raises
    ------
    ModelUnusableError
        If the entry is none of these (reason ``unknown_label_name``).

    Examples
    --------
    >>> [label_number(e) for e in (9, "26", "S1", "Vertebra_Corpus_border", "T13")]
    [9, 26, 26, 49, 28]
    """
    number: int | None = None
    if isinstance(entry, int) and not isinstance(entry, bool):
        number = entry
    elif isinstance(entry, str):
        text = entry.strip()
        known = NUMBER_OF_NAME.get(text.casefold())
        number = int(text) if text.isascii() and text.isdigit() else known
    if number is None or not 0 <= number <= _HIGHEST_LABEL:
        message = f"the model's label table holds an entry that names no structure: {entry!r:.60}"
        raise ModelUnusableError(message, reasons=("unknown_label_name",))
    return number

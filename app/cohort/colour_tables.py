"""Names and colours of the labels of both masks, for 3D Slicer and for ITK-SNAP.

References
----------
3D Slicer, ``vtkMRMLColorTableStorageNode`` (``.ctbl``: index, name without blanks, RGBA).
ITK-SNAP, label description file (index, RGB, alpha 0-1, visible, mesh, quoted name).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from operators.anatomy.codes import STRUCTURES
from operators.anatomy.colours import STRUCTURE_COLOURS, instance_colour
from operators.anatomy.labels import DISC_OFFSET, ENDPLATE_OFFSET, SACRUM_INSTANCE
from operators.anatomy.vertebrae import CRANIAL_TO_CAUDAL, LEVEL_NAMES, ordinal_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operators.anatomy.colours import Rgb

_Rows = list[tuple[int, str, "Rgb"]]
_OPAQUE: Final = 255

STRUCTURES_TABLE: Final = "seg-spine"
NUMBERS_TABLE: Final = "seg-vert"
LEVELS_TABLE: Final = "seg-vert-levels"
"""Instance masks whose ids are levels; the colours are the same, the names say the level."""


def colour_tables() -> dict[str, str]:
    """Make the tables of both masks.

    Returns
    -------
    dict of str to str
        File name to content: ``seg-spine.ctbl``, ``seg-spine_itksnap.txt``, the same of
        ``seg-vert`` and of ``seg-vert-levels``, with every label that can occur.
    """
    structures = sorted((n, STRUCTURES[n].name, rgb) for n, rgb in STRUCTURE_COLOURS.items())
    contents = {
        STRUCTURES_TABLE: structures,
        NUMBERS_TABLE: _instances({}),
        LEVELS_TABLE: _instances(LEVEL_NAMES),
    }
    tables = {}
    for name, rows in contents.items():
        tables[f"{name}.ctbl"] = _slicer(name, rows)
        tables[f"{name}_itksnap.txt"] = _itksnap(rows)
    return tables


def _instances(levels: Mapping[int, str]) -> _Rows:
    vertebrae = [n for n in CRANIAL_TO_CAUDAL if n != SACRUM_INSTANCE]
    labels = [*vertebrae, SACRUM_INSTANCE]
    labels += [n + offset for offset in (DISC_OFFSET, ENDPLATE_OFFSET) for n in CRANIAL_TO_CAUDAL]
    return sorted((n, ordinal_text(n, vertebrae, levels), instance_colour(n)) for n in labels)


def _slicer(name: str, rows: _Rows) -> str:
    lines = [f"# Color table file {name}.ctbl", f"# {len(rows) + 1} values", "0 Background 0 0 0 0"]
    for label, text, rgb in rows:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
        lines.append(" ".join(map(str, (label, plain, *rgb, _OPAQUE))))
    return "\n".join(lines) + "\n"


def _itksnap(rows: _Rows) -> str:
    ruler = "#" * 48
    lines = [ruler, "# ITK-SnAP Label Description File", "# IDX -R- -G- -B- -A-- VIS MSH LABEL"]
    lines += [ruler, '    0     0    0    0        0  0  0    "Clear Label"']
    for label, text, (red, green, blue) in rows:
        lines.append(f'{label:5d} {red:5d} {green:4d} {blue:4d}        1  1  1    "{text}"')
    return "\n".join(lines) + "\n"

"""What a segment of a DICOM SEG is called, said as our own objects say it.

Programs name a vertebra in words (``"L4"``, ``"vertebrae_L4"``) or by a code alone: as Segmented
Property Type, or as Anatomic Region of a segment of the type vertebra (DICOM PS3.3 C.8.20.4). Any
of these is a level that its author has stated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from operators.anatomy.codes import VERTEBRA
from operators.anatomy.labels import SACRUM_INSTANCE
from operators.anatomy.level_codes import vertebra_concept
from operators.anatomy.vertebrae import LEVEL_NAMES, ordinal_text

if TYPE_CHECKING:
    from pydicom import Dataset

_LEVELS: Final = {name: level for level, name in LEVEL_NAMES.items() if level != SACRUM_INSTANCE}
_OF_CODE: Final = {vertebra_concept(level).value: level for level in _LEVELS.values()}
_OWN: Final = re.compile(r"(?:|disc .+|endplates .+)vertebra (\d+)( \(.+\))?")
_BARE: Final = re.compile(r"(?:vertebrae?[ _-]?)?([CTL]\d+)(?:[ _-]?vertebrae?)?", re.IGNORECASE)


def segment_name(segment: Dataset) -> str:
    """Name a segment in our own words, if it is a vertebra of a stated level.

    Parameters
    ----------
    segment : Dataset
        Item of the Segment Sequence.

    Returns
    -------
    str
        ``"vertebra 8 (L4)"`` where the segment has a number of its own, ``"vertebra 23 (L4)"``
        with the level's id where it has none; the Segment Label as it is where no level is stated
        or that already says one.

    Examples
    --------
    >>> from pydicom import Dataset
    >>> segment = Dataset()
    >>> segment.SegmentLabel = "vertebrae_L4"
    >>> segment_name(segment)
    'vertebra 23 (L4)'
    """
    label = str(segment.get("SegmentLabel", ""))
    own = _OWN.fullmatch(label)
    if own and (own[2] or not label.startswith("vertebra")):
        return label
    bare = _BARE.fullmatch(label.strip())
    level = _LEVELS.get(bare[1].upper()) if bare else _coded_level(segment)
    if level is None:
        return label
    number = int(own[1]) if own else level
    return ordinal_text(number, (number,), {number: LEVEL_NAMES[level]})


def _coded_level(segment: Dataset) -> int | None:
    kind = _code(segment, "SegmentedPropertyTypeCodeSequence")
    if kind in _OF_CODE:
        return _OF_CODE[kind]
    region = _code(segment, "AnatomicRegionSequence")
    return _OF_CODE.get(region) if kind == VERTEBRA.value else None


def _code(segment: Dataset, keyword: str) -> str:
    items = segment.get(keyword) or []
    return str(items[0].get("CodeValue", "")) if items else ""

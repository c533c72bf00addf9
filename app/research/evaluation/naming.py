"""Names of levels: how many vertebrae of the reference were found and named rightly.

References
----------
Identification rate: Sekuboyina et al., Med Image Anal 2021, doi 10.1016/j.media.2021.102166; there
a vertebra is found within 20 mm of its centre, here by overlap like every other instance.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from app.research.evaluation.measures import Item, Measure, NameCounts, measures_of
from app.research.evaluation.metrics import values_of
from operators.anatomy.levels import PROBABLY
from operators.anatomy.vertebrae import LEVEL_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from app.research.evaluation.measures import InstanceScore, Masks

NAMING: Final = Item("naming", "vertebra")

_NAMED: Final = re.compile(r"vertebra (\d+) \((.+)\)")
"""Segment label of a vertebra with a level (`operators.anatomy.vertebrae.ordinal_text`)."""
_MASK_NAME: Final = re.compile(r"seg-vert_msk\.nii(\.gz)?$")


def names_in_labels(segment_labels: Mapping[int, str]) -> dict[int, str]:
    """Read level names from the labels of a SEG's segments.

    Parameters
    ----------
    segment_labels : mapping of int to str
        By segment number.

    Returns
    -------
    dict of int to str
        By vertebra id: ``"L4"`` or ``"probably L4"``.

    Examples
    --------
    >>> names_in_labels({1: "vertebra 8 (L4)", 2: "vertebra 9", 3: "disc below vertebra 8 (L4)"})
    {8: 'L4'}
    """
    found = (_NAMED.fullmatch(label) for label in segment_labels.values())
    return {int(match[1]): match[2] for match in found if match}


def names_beside(mask: Path) -> dict[int, str]:
    """Read level names from the centroid file that lies beside a NIfTI mask; empty without one."""
    file = mask.with_name(_MASK_NAME.sub("seg-spine_ctd.json", mask.name))
    if file == mask or not file.is_file():
        return {}
    try:
        header: Any = json.loads(file.read_text("utf-8"))[0]
        levels = {int(number): str(name["text"]) for number, name in header["levels"].items()}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return {}  # another program's file, or one of a version without levels
    return {n: text for n, text in levels.items() if text.removeprefix(PROBABLY) in _LEVELS}


_LEVELS: Final = frozenset(LEVEL_NAMES.values())


def known_levels(reference: Masks) -> Mapping[int, str]:
    """Tell the levels of a reference's vertebrae, by their labels.

    Parameters
    ----------
    reference : Masks
        Names count, except those with a reserve. Without names, labels are levels unless they are
        known not to be.
    """
    if reference.names or not reference.numbers_are_levels:
        return {n: name for n, name in reference.names.items() if name in _LEVELS}
    return LEVEL_NAMES


def score_names(
    scores: Sequence[InstanceScore], names: Mapping[int, str], levels: Mapping[int, str]
) -> list[Measure]:
    """Hold names against the levels of the reference.

    Parameters
    ----------
    scores : sequence of InstanceScore
        Of the vertebrae of one case.
    names : mapping of int to str
        Level name by predicted label.
    levels : mapping of int to str
        Level by label of the reference (`known_levels`).

    Returns
    -------
    list of Measure
        Shares of the reference's vertebrae of known level (`metrics.METRICS`). Empty where nothing
        is named or the reference has none.
    """
    known = [score for score in scores if score.reference in levels]
    if not names or not known:
        return []
    pairs = [
        (names.get(score.prediction or 0, ""), levels[score.reference or 0]) for score in known
    ]
    right = sum(name.removeprefix(PROBABLY) == level for name, level in pairs if name)
    stated = [(name, level) for name, level in pairs if name and not name.startswith(PROBABLY)]
    wrong = sum(name != level for name, level in stated)
    counts = NameCounts(vertebrae=len(known), right=right, stated=len(stated), wrong=wrong)
    return measures_of(NAMING, values_of(counts, "names", "naming"))

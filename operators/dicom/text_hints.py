"""What people typed about a series: body part and weighting, in many languages, as hints.

Descriptions are "ever changing and misleading", so nothing here decides where physics does. The
weighting words are asked only where the header holds no physics at all; the body part never
decides: a knee that passes the physics is refused after inference, because no spine is found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from operators.dicom.header_values import texts
from operators.dicom.reasons import Reason, hint

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_BODY_PART_ATTRIBUTES = (
    "BodyPartExamined",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
    "RequestedProcedureDescription",
)
_WEIGHTING_ATTRIBUTES = ("SeriesDescription", "ProtocolName")

_SPINE_WORDS = re.compile(
    r"spine|spinal|vertebr|lumb[aoà]|cervic|lumbosac|sacral|"
    r"wirbel|\b[hbl]ws\b|r[aá]chi[sd]|colonne|column[an]|coluna|colonna|wervel|rygg|ryg\b|"
    r"omurga|kr[eę]gos[lł]|p[aá]te[rř]|hrbten|kralje|gerinc|selk[aä]ranka|σπονδυλ|позвон|хребт|"
    r"脊柱|脊椎|脊髓|腰椎|颈椎|頸椎|胸椎|척추|요추|경추|흉추",
)
_OTHER_BODY_PARTS = re.compile(
    r"brain|head\b|skull|knee|shoulder|pelvi|prostat|breast|mamm|cardi|heart|abdom|liver|\bhip\b|"
    r"ankle|wrist|elbow|\bhand\b|\bfoot\b|orbit|kopf|sch[aä]del|gehirn|hirn|knie|schulter|becken|"
    r"brust(?!wirb)|herz|bauch|leber|h[uü]ft|cerveau|enc[eé]phal|cr[aâ]n|genou|[eé]paule|bassin|"
    r"cerebr|c[eé]rebr|rodilla|hombro|ginocchio|spalla|joelho|ombro|hersen|schouder|beyin|\bdiz\b|"
    r"omuz|m[oó]zg|kolan|hlav|mozek|колен|головн|мозг|плеч|头颅|頭部|颅脑|脳|膝|무릎|뇌",
)

_WEIGHTING_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("other", re.compile(r"[tт]2\W?(\*|star|stern)|stir|tirm|flair|medic|merge|m-?ffe|\bgre\b")),
    (
        "other",
        re.compile(r"(?<![^\W_])[tт]1|(?<![a-z])pd(?![a-z])|dwi|diff|\badc|myelo|dixon"),
    ),
    ("t2", re.compile(r"(?<![^\W_])[tт]2(?![0-9])")),
)


def judge_body_part(header: Dataset) -> tuple[Reason, ...]:
    """List which attributes name a spine or another body part; the words stay unquoted.

    Parameters
    ----------
    header : Dataset
        Normal-form header of one slice.

    Returns
    -------
    tuple of Reason
        Hints ``text_names_spine`` and ``text_names_other_body_part``, none where text is silent.
    """
    typed = {name: _joined(header, (name,)) for name in _BODY_PART_ATTRIBUTES}
    spine = [name for name, text in typed.items() if _SPINE_WORDS.search(text)]
    other = [name for name, text in typed.items() if _OTHER_BODY_PARTS.search(text)]
    reasons = []
    if spine:
        reasons.append(hint("text_names_spine", ", ".join(spine), speaks_for=True))
    if other:
        reasons.append(hint("text_names_other_body_part", ", ".join(other), speaks_for=False))
    return tuple(reasons)


def says_t2_weighted(header: Dataset) -> bool:
    """Whether description or protocol name a T2 weighting and no other one."""
    text = _joined(header, _WEIGHTING_ATTRIBUTES)
    found = {name for name, pattern in _WEIGHTING_WORDS if pattern.search(text)}
    return found == {"t2"}


def _joined(header: Dataset, keywords: tuple[str, ...]) -> str:
    """Lower-case text; underscores part words here, as operators use them."""
    typed = (text for keyword in keywords for text in texts(header, keyword))
    return " ".join(typed).lower().replace("_", " ")

"""What people typed about a series: body part and weighting, in many languages, as hints.

Descriptions are "ever changing and misleading", so nothing here decides where physics does. The
weighting words are asked only where the header holds no physics at all. The body part decides only
where several texts of different origin agree on another one and none names the spine; a knee that
passes is refused after inference, because no spine is found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from operators.dicom.headers.header_values import texts
from operators.dicom.selection.reasons import Reason, against, hint

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
_OTHER_BODY_PARTS: dict[str, re.Pattern[str]] = {
    "head": re.compile(
        r"brain|head\b|skull|orbit|kopf|sch[aä]del|gehirn|hirn|cerveau|enc[eé]phal|cr[aâ]n|"
        r"cerebr|c[eé]rebr|hersen|beyin|m[oó]zg|hlav|мозг|головн|头颅|頭部|颅脑|脳|뇌"
    ),
    "knee": re.compile(r"knee|knie|genou|rodilla|ginocchio|joelho|\bdiz\b|kolan|колен|膝|무릎"),
    "shoulder": re.compile(r"shoulder|schulter|[eé]paule|hombro|spalla|ombro|schouder|omuz|плеч"),
    "pelvis": re.compile(r"pelvi|prostat|becken|bassin|\bhip\b|h[uü]ft"),
    "chest": re.compile(r"breast|mamm|cardi|heart|herz|brust(?!wirb)"),
    "abdomen": re.compile(r"abdom|liver|bauch|leber"),
    "limb": re.compile(r"ankle|wrist|elbow|\bhand\b|\bfoot\b"),
}
"""Other body part -> how people write it; texts agree where they name one and the same."""

_AGREEING_TEXTS = 3
"""So many independent texts that name one other body part are no slip: one wrong text is typed,
and copied once (study to procedure, protocol to series); a third is written by somebody else."""

_WEIGHTING_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("other", re.compile(r"[tт]2\W?(\*|star|stern)|stir|tirm|flair|medic|merge|m-?ffe|\bgre\b")),
    (
        "other",
        re.compile(r"(?<![^\W_])[tт]1|(?<![a-z])pd(?![a-z])|dwi|diff|\badc|myelo|dixon"),
    ),
    ("t2", re.compile(r"(?<![^\W_])[tт]2(?![0-9])")),
)


def judge_body_part(header: Dataset, *, decides: bool = False) -> tuple[Reason, ...]:
    """List which attributes name a spine or another body part; the words stay unquoted.

    Parameters
    ----------
    header : Dataset
        Normal-form header of one slice.
    decides : bool
        Whether independent texts that agree on another body part reject the series.

    Returns
    -------
    tuple of Reason
        Hints ``text_names_spine`` and ``text_names_other_body_part``, none where text is silent;
        with `decides` also ``other_body_part``, where at least three independent texts name one
        and the same other body part, none another one, and none the spine. Copies of one text
        count once, Body Part Examined (chosen from a list, not copied) for itself.
    """
    typed = {name: _joined(header, (name,)) for name in _BODY_PART_ATTRIBUTES}
    spine = [name for name, text in typed.items() if _SPINE_WORDS.search(text)]
    parts = {
        name: {part for part, words in _OTHER_BODY_PARTS.items() if words.search(text)}
        for name, text in typed.items()
    }
    other = [name for name, named in parts.items() if named]
    reasons = []
    if spine:
        reasons.append(hint("text_names_spine", ", ".join(spine), speaks_for=True))
    if other:
        reasons.append(hint("text_names_other_body_part", ", ".join(other), speaks_for=False))
    agreed = len(set[str]().union(*parts.values())) == 1
    independent = {(name == "BodyPartExamined", " ".join(typed[name].split())) for name in other}
    if decides and agreed and not spine and len(independent) >= _AGREEING_TEXTS:
        reasons.append(against("other_body_part", f"{len(independent)} independent texts agree"))
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
